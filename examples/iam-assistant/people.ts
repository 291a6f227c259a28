import { HDNodeWallet, Mnemonic } from 'ethers'

/**
 * The scripted people of the play: programs with wallets of their own, not persons. They act through the public
 * interface alone, as persons would.
 */
export type People = {
  readonly governors: readonly HDNodeWallet[]
  readonly holders: readonly HDNodeWallet[]
  /** Four honest ones. */
  readonly contributors: readonly HDNodeWallet[]
  readonly copier: HDNodeWallet
  readonly careless: HDNodeWallet
  /** Eight: five careful ones, two who answer at random, one who always picks the first. */
  readonly validators: readonly { readonly wallet: HDNodeWallet; readonly manner: Manner }[]
}
export type Manner = 'careful' | 'random' | 'first'

const MANNERS: readonly Manner[] = [
  'careful',
  'careful',
  'careful',
  'careful',
  'careful',
  'random',
  'random',
  'first',
]

/** People from one secret phrase: the same phrase is the same people, so that a play can be taken up again. */
export function peopleOf(phrase: string): People {
  const root = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(phrase))
  // Beside ethers' default path, so that nobody of the play is a well-known development account.
  const group = (at: number, count: number) =>
    Array.from({ length: count }, (_, index) => root.deriveChild(1_000 * at + index))
  const [copier, careless] = group(4, 2) as [HDNodeWallet, HDNodeWallet]
  return {
    governors: group(1, 3),
    holders: group(2, 7),
    contributors: group(3, 4),
    copier,
    careless,
    validators: group(5, MANNERS.length).map((wallet, index) => ({
      wallet,
      manner: MANNERS[index] ?? 'careful',
    })),
  }
}

export function newPhrase(): string {
  return HDNodeWallet.createRandom().mnemonic?.phrase ?? ''
}
