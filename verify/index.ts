/**
 * The offline verifier: a second opinion written from docs/protocol.md alone, for Node and browsers. It shares
 * no code with the service and asks it nothing; whoever holds the files can run it.
 */
export { type BallotExpectations, verifyBallots } from './ballots.ts'
export { readGenesis } from './genesis.ts'
export { type PayoutExpectations, verifyPayout } from './payout.ts'
export { type RecordExpectations, verifyRecord } from './record.ts'
export type { Check, Report } from './report.ts'
export type { Trust } from './trust.ts'
export { type VersionEvidence, verifyVersion } from './version.ts'
export { verifyWarrant, type WarrantBundle } from './warrant.ts'
