import {
  type BallotExpectations,
  type Check,
  type PayoutExpectations,
  type Report,
  type Trust,
  verifyBallots,
  verifyPayout,
  verifyVersion,
  verifyWarrant,
} from '../../verify/index.ts'
import { modelManifest } from '../artifacts/base-model.ts'
import type { ChainFacts } from './chain-facts.ts'
import {
  type BallotsEvidence,
  fromBase64,
  type PayoutEvidence,
  type VersionEvidence,
  type WarrantEvidence,
} from './evidence-file.ts'
import type { Trusted } from './trusted.ts'

/** What evidence is compared with: facts that are trusted, and a chain where one was named. */
export type Against = { readonly trusted: Trusted; readonly chain: ChainFacts | undefined }

export function checkBallots(evidence: BallotsEvidence, against: Against): Promise<Report> {
  return held(() => verifyBallots(fromBase64(evidence.ballotFile), trustOf(evidence, against)))
}

/** Each warrant with the vote behind it; the first that does not hold ends it. */
export async function checkWarrants(evidence: WarrantEvidence, against: Against): Promise<Report> {
  const file = fromBase64(evidence.ballotFile)
  const checks: Check[] = []
  const notChecked = new Set<string>()
  for (const warrant of evidence.warrants) {
    const report = await held(() => verifyWarrant(warrant, file, trustOf(evidence, against)))
    const { action } = (warrant.document ?? {}) as { action?: unknown }
    // The vote is one and the same: told once, unless something is wrong with it.
    const told = report.checks.filter(
      ({ name, ok }) => !ok || checks.length === 0 || !name.startsWith('vote/'),
    )
    checks.push(...told.map(check => ({ ...check, name: `${String(action)}/${check.name}` })))
    for (const gap of report.notChecked) notChecked.add(gap)
    if (!report.ok) return { ok: false, checks, notChecked: [...notChecked] }
  }
  return { ok: true, checks, notChecked: [...notChecked] }
}

/** `weightsFolder` holds the merged weights as they are served; they are hashed here. */
export async function checkVersion(
  evidence: VersionEvidence,
  against: Against,
  weightsFolder: string | undefined,
): Promise<Report> {
  const { versionId, lineage, warrant, ballotFile, logProof, parentLineage } = evidence
  const files = weightsFolder === undefined ? null : (await modelManifest(weightsFolder)).files
  const given = {
    versionId,
    lineage,
    warrant,
    ballotFile: fromBase64(ballotFile),
    ...(logProof === null ? {} : { logProof }),
    ...(parentLineage === null ? {} : { parentLineage }),
    ...(files === null ? {} : { weightsManifest: { files } }),
  }
  return held(() => verifyVersion(given, trustOf(evidence, against)))
}

export function checkPayout(evidence: PayoutEvidence, against: Against): Promise<Report> {
  return held(async () => {
    const { file, previousFile, scoresProof, payoutProof, blockNumber } = evidence
    const { rewardClaims } = against.trusted
    const { period } = JSON.parse(file) as { period?: unknown }
    const onChain = Number.isSafeInteger(period)
      ? await against.chain?.payoutOf(period as number, blockNumber)
      : undefined
    const expected: PayoutExpectations = {
      ...against.trusted.trust,
      ...(rewardClaims === undefined ? {} : { rewardClaims }),
      ...(previousFile === null ? {} : { previousFile }),
      ...(scoresProof === null ? {} : { scoresProof }),
      ...(payoutProof === null ? {} : { payoutProof }),
      ...(onChain === undefined ? {} : { onChain }),
    }
    return verifyPayout(file, expected)
  })
}

/** A vote is behind warrants and versions too: what is known of it serves them all. */
function trustOf(vote: { voteProof: unknown }, { trusted, chain }: Against): Trust & BallotExpectations {
  const { voteProof } = vote
  return {
    ...trusted.trust,
    ...(voteProof === null ? {} : { voteProof }),
    ...(chain === undefined ? {} : { powerOf: chain.powerOf }),
  }
}

/** A shape that the verifier cannot read at all is a check that does not hold, like any other. */
export async function held(verify: () => Promise<Report>): Promise<Report> {
  try {
    return await verify()
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return { ok: false, checks: [{ name: 'shape', ok: false, detail }], notChecked: [] }
  }
}
