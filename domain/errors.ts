/**
 * Every error that the product raises on purpose. The union is closed: a new refusal is a new code here,
 * and `functions/http/error-table.ts` (the only place with HTTP statuses and prose) fails to compile until
 * it says how a client sees it.
 */
export type ErrorCode =
  // the request itself
  | 'malformed'
  | 'too-large'
  | 'not-found'
  | 'conflict'
  | 'forbidden'
  | 'rate-limited'
  | 'unavailable'
  // signatures and identities
  | 'bad-signature'
  | 'wrong-signer'
  | 'wrong-deployment'
  | 'not-governor'
  // governance
  | 'proposal-not-open'
  | 'proposal-window-invalid'
  | 'proposal-not-reviewable'
  | 'rules-not-allowed'
  | 'below-threshold'
  | 'zero-power'
  | 'stale-nonce'
  | 'equivocation'
  | 'warrant-missing'
  | 'warrant-invalid'
  | 'warrant-expired'
  | 'warrant-used'
  | 'warrant-input-mismatch'
  | 'budget-exceeded'
  // data
  | 'datanet-not-open'
  | 'digest-mismatch'
  | 'license-not-allowed'
  | 'dataset-changed'
  // alignment
  | 'not-eligible'
  | 'round-closed'
  // serving and rewards
  | 'key-missing'
  | 'key-invalid'
  | 'model-not-served'
  | 'model-waking'
  | 'credit-exhausted'
  | 'period-settled'
  // the service
  | 'internal'

/**
 * `expected` and `seen` are short facts for the person who has to act on the refusal; they never hold a
 * secret, a signature or a whole document.
 */
export class OpenLedgerError extends Error {
  readonly code: ErrorCode
  readonly expected: string | undefined
  readonly seen: string | undefined

  constructor(
    code: ErrorCode,
    message: string,
    facts: { expected?: string; seen?: string; cause?: unknown } = {},
  ) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    // Step Functions matches ErrorEquals on the error's name, so the code is the name.
    this.name = code
    this.code = code
    this.expected = facts.expected
    this.seen = facts.seen
  }
}

/** True for an error that the domain raised on purpose, across bundles (instanceof does not survive them). */
export function isOpenLedgerError(error: unknown): error is OpenLedgerError {
  return error instanceof OpenLedgerError
}
