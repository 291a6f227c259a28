import { Contract } from 'ethers'
import { createClient } from '../../../api/client.ts'
import type { AccountRewardsView, PayoutView } from '../../../api/schemas/rewards.ts'
import { claim } from '../../../cli/actions/claim.ts'
import { complete } from '../../../cli/actions/complete.ts'
import { buyKey, deposit } from '../../../cli/actions/deposit.ts'
import { ALIAS, noteRefusal, PlayFailed, refusalOf, type Stage, until } from './stage.ts'

const OPEN_ABI = ['function balanceOf(address account) view returns (uint256)']
const DEPOSIT_WEI = 100n * 10n ** 18n
const COMPLETIONS = 6
const MAX_TOKENS = 24
/** A model that sleeps needs its weights back in memory. */
const AWAKE_SECONDS = 300
/** Measuring usefulness is the long part. */
const SETTLED_SECONDS = 1_800
/** The dispute window, and blocks until they are final. */
const CLAIMABLE_SECONDS = 900

/** Step 7: a holder pays for answers, the period is split by measured usefulness, and a contributor claims. */
export async function payAndClaim(stage: Stage): Promise<Record<string, unknown>> {
  const { session, people, made } = stage
  const { datanetId } = made
  const [holder] = people.holders
  if (datanetId === undefined || holder === undefined) throw new PlayFailed('There is nothing to pay for')
  const question = aQuestion(stage)
  const withoutKey = () => complete(session, undefined, { model: ALIAS, messages: question })
  noteRefusal(stage, 'completion-without-key', 'key-missing', await refusalOf(withoutKey))

  await stage.fund([{ address: holder.address, openWei: DEPOSIT_WEI }])
  const paid = await deposit(session, holder.connect(stage.chain), { datanetId, amountWei: DEPOSIT_WEI })
  const { apiKey } = await buyKey(session, holder, {
    depositTx: paid.transaction,
    ...(stage.apiKey === undefined ? {} : { apiKey: stage.apiKey }),
  })
  stage.say(`A holder brought ${inOpen(DEPOSIT_WEI)} OPEN into period ${paid.period} and got a key`)
  const usage = await askAndPay(stage, apiKey)

  const payout = await settle(stage, datanetId, paid.period)
  const shares = await sharesOf(stage, payout)
  const claimed = await claimAsContributor(stage, payout)
  return {
    period: payout.period,
    revenueWei: payout.revenueWei,
    depositTx: paid.transaction,
    usage,
    pools: payout.pools,
    payoutFile: payout.file,
    root: payout.root,
    rootTransaction: payout.proposal?.transaction ?? null,
    shares,
    validators: payout.validators.map(({ account, weight, amountWei }) => ({
      manner: people.validators.find(({ wallet }) => wallet.address.toLowerCase() === account)?.manner,
      weight,
      amountWei,
    })),
    ...claimed,
  }
}

function aQuestion(stage: Stage, at = 0) {
  const [need] = [...stage.material.known.keys()].slice(at)
  if (need === undefined) throw new PlayFailed('The domain has no needs to ask about')
  return [{ role: 'user' as const, content: need }]
}

/** Paid completions, every second one streamed; what the service counted and charged. */
async function askAndPay(stage: Stage, apiKey: string): Promise<Record<string, unknown>> {
  const { session } = stage
  const body = (at: number) => ({
    model: ALIAS,
    messages: aQuestion(stage, at),
    max_tokens: MAX_TOKENS,
    temperature: 0,
  })
  await until('The model is awake', AWAKE_SECONDS, async () => {
    const answer = await refusalOf(() => complete(session, apiKey, body(0)))
    if (answer === 'model-waking') return undefined
    if (answer !== 'accepted') throw new PlayFailed(`The model does not answer: ${answer}`)
    return true
  })
  let streamedChunks = 0
  for (let at = 1; at < COMPLETIONS; at++) {
    const stream = at % 2 === 1
    const { text, usage, chunks } = await complete(session, apiKey, body(at), { stream })
    if (usage === null || usage.completion_tokens === 0)
      throw new PlayFailed('A completion came without a usage count')
    if (stream) streamedChunks += chunks
    if (at <= 2) stage.say(`${body(at).messages[0]?.content} -> ${text.trim()}`)
  }
  const client = createClient({ baseUrl: session.client.baseUrl, apiKey })
  // The stream's last byte may arrive before its usage is booked.
  const key = await until('The usage is booked', 60, async () => {
    const now = await client.call('getKey')
    return now.usage.requests >= COMPLETIONS && now.reservedWei === '0' ? now : undefined
  })
  stage.say(`${key.usage.requests} completions, ${inOpen(BigInt(key.spentWei))} OPEN of credit used`)
  return { ...key.usage, streamedChunks, spentWei: key.spentWei, creditWei: key.creditWei }
}

/** Settles the period, and again: the second time changes nothing. */
async function settle(stage: Stage, datanetId: string, period: number): Promise<PayoutView> {
  const { client } = stage.session
  const request = () => client.call('requestSettlement', { params: { id: datanetId }, body: { period } })
  const first = await request()
  stage.say(`Settling period ${period}: ${first.state}`)
  await until('The period is settled', SETTLED_SECONDS, async () => {
    const { items } = await client.call('listPayouts', { params: { id: datanetId } })
    const now = items.find(payout => payout.period === period)
    return now !== undefined && (now.root === null || now.proposal !== null) ? now : undefined
  })
  const again = await request()
  const { items } = await client.call('listPayouts', { params: { id: datanetId } })
  const payouts = items.filter(payout => payout.period === period)
  const [payout] = payouts
  if (again.state !== 'settled' || payout === undefined || payouts.length !== 1)
    throw new PlayFailed(`Settling again is not one settlement: ${again.state}, ${payouts.length} payouts`)
  requireConserved(payout)
  return payout
}

/** @throws PlayFailed unless pools and shares are the revenue, to the last unit */
function requireConserved(payout: PayoutView): void {
  const sum = (amounts: readonly string[]) => amounts.reduce((all, amount) => all + BigInt(amount), 0n)
  const shares = sum([...payout.contributors, ...payout.validators].map(({ amountWei }) => amountWei))
  const spread = shares + BigInt(payout.reserveAddedWei)
  if (spread !== BigInt(payout.revenueWei))
    throw new PlayFailed(`Shares and reserve are ${spread}, the revenue is ${payout.revenueWei}`)
}

/** Everybody who sent records: what they got, and the rule that gave it. */
async function sharesOf(stage: Stage, payout: PayoutView): Promise<Record<string, unknown>> {
  const { people } = stage
  const everybody = [
    ...people.contributors.map((wallet, index) => [`honest-${index + 1}`, wallet.address] as const),
    ['copier', people.copier.address] as const,
    ['careless', people.careless.address] as const,
  ]
  const rows = await Promise.all(
    everybody.map(async ([who, address]) => {
      const rewards = await stage.session.client.call('getRewards', { params: { address } })
      const part = contributorPart(rewards, payout.period)
      if (part === null) {
        // Without an accepted record there is nothing to be useful: the refusals at intake are the reason.
        stage.say(`${who}: nothing, none of the records was accepted`)
        return [who, { amountWei: '0', reason: 'none of the records was accepted' }] as const
      }
      stage.say(`${who}: ${inOpen(BigInt(part.amountWei))} OPEN. ${part.reason}`)
      return [who, { ...part, heldWei: rewards.heldWei, cumulativeWei: rewards.cumulativeWei }] as const
    }),
  )
  return Object.fromEntries(rows)
}

const contributorPart = (rewards: AccountRewardsView, period: number) =>
  rewards.periods.find(row => row.period === period)?.contributor ?? null

/** The best paid honest contributor claims on chain; the balance grows by exactly what was claimable. */
async function claimAsContributor(stage: Stage, payout: PayoutView): Promise<Record<string, unknown>> {
  const { session, people, chain } = stage
  const shareOf = (address: string) =>
    BigInt(payout.contributors.find(({ account }) => account === address.toLowerCase())?.amountWei ?? 0)
  const [best] = [...people.contributors].sort((one, other) =>
    shareOf(one.address) > shareOf(other.address) ? -1 : 1,
  )
  if (best === undefined || shareOf(best.address) === 0n)
    throw new PlayFailed('No honest contributor has a share to claim')
  await until('The root pays', CLAIMABLE_SECONDS, async () => {
    const { proof } = await session.client.call('getRewards', { params: { address: best.address } })
    return proof?.root === payout.root ? proof : undefined
  })
  const open = new Contract(session.genesis.openToken, OPEN_ABI, chain)
  const balance = async () => BigInt(String(await open.getFunction('balanceOf')(best.address)))
  const before = await balance()
  const { transaction, claimedWei } = await claim(session, best.connect(chain), best.address)
  const grown = (await balance()) - before
  if (grown !== claimedWei || grown === 0n)
    throw new PlayFailed(`The claim was ${claimedWei} and the balance grew by ${grown}`)
  stage.say(`A contributor claimed ${inOpen(claimedWei)} OPEN on chain`)
  return { claimTransaction: transaction, claimedWei: String(claimedWei), claimedBy: best.address }
}

/** For the eye only. */
const inOpen = (wei: bigint) => (Number(wei / 10n ** 12n) / 1e6).toFixed(4)
