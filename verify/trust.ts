/**
 * What a verifier takes as given: the facts of the deployment's genesis document, as the person knows them.
 * Everything that is left out cannot be compared, and the report says so.
 */
import { same } from './report.ts'
import { asAddress, asArray, asBytes32, asCount, asObject } from './shape.ts'
import type { Domain } from './typed-data.ts'

export interface Trust {
  /** chainId, gOPEN and deployment id; without it a file is only checked against what it says itself. */
  readonly genesis?: Domain
  /** Addresses in lower case. */
  readonly governors?: { readonly addresses: readonly string[]; readonly threshold: number }
  /** Address of the key that signs warrants. */
  readonly warrantSigner?: string
  /** The log's key as `name+id+key` (C2SP signed-note). */
  readonly logKey?: string
}

export const NO_DEPLOYMENT = 'that this is the deployment you mean: no genesis was given'
export const NO_GOVERNORS = 'that these are the governors of the deployment: none were given'
export const NO_WARRANT_SIGNER = 'that the deployment signed the warrant: no warrant signer was given'
export const NO_LOG_KEY = 'that the log signed this head: no log key was given'

/** The `genesis` member of a file. */
export function asDomain(value: unknown, path: string): Domain {
  const given = asObject(value, path)
  return {
    chainId: asCount(given.chainId, `${path}.chainId`),
    gOpen: asAddress(given.gOpen, `${path}.gOpen`),
    deploymentId: asBytes32(given.deploymentId, `${path}.deploymentId`),
  }
}

export function asGovernors(value: unknown, path: string): NonNullable<Trust['governors']> {
  const given = asObject(value, path)
  const addresses = asArray(given.addresses, `${path}.addresses`).map((one, at) =>
    asAddress(one, `${path}.addresses[${at}]`),
  )
  const threshold = asCount(given.threshold, `${path}.threshold`)
  if (new Set(addresses).size !== addresses.length) throw new Error(`${path} names a governor twice`)
  if (threshold < 1 || threshold > addresses.length) throw new Error(`${path}.threshold is ${threshold}`)
  return { addresses, threshold }
}

/** @throws Error unless both name the same deployment */
export function requireDomain(expected: Domain, seen: Domain): void {
  same('the deployment id', expected.deploymentId, seen.deploymentId)
  same('the chain id', expected.chainId, seen.chainId)
  same('gOPEN', expected.gOpen, seen.gOpen)
}

/** @throws Error unless both are the same governors with the same threshold */
export function requireGovernors(
  expected: NonNullable<Trust['governors']>,
  seen: NonNullable<Trust['governors']>,
): void {
  same('the threshold', expected.threshold, seen.threshold)
  const sorted = (list: readonly string[]) => [...list].sort().join(', ')
  same('the list of governors', sorted(expected.addresses), sorted(seen.addresses))
}
