import { type ApiKey, keyIdOf } from '../../domain/serving/api-key.ts'
import { iso } from '../http/presenters.ts'

export function presentKey(key: ApiKey) {
  return {
    keyId: keyIdOf(key.keyHash),
    account: key.account,
    creditWei: String(key.creditWei),
    reservedWei: String(key.reservedWei),
    spentWei: String(key.spentWei),
    createdAt: iso(key.createdAt),
    usage: { ...key.usage },
  }
}
