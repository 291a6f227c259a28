import type { ErrorCode } from '../../domain/errors.ts'

/**
 * The one table of error codes: status and what to do next. `retryAfterSeconds` becomes the Retry-After
 * header. OpenAI's `type` is used under the model routes.
 */
export const errorTable: Record<
  ErrorCode,
  { status: number; title: string; openAiType: string; retryAfterSeconds?: number }
> = {
  malformed: {
    status: 400,
    title: 'The request is not as the interface describes it',
    openAiType: 'invalid_request_error',
  },
  'too-large': {
    status: 413,
    title: 'The request is larger than allowed',
    openAiType: 'invalid_request_error',
  },
  'not-found': { status: 404, title: 'There is no such thing', openAiType: 'invalid_request_error' },
  conflict: {
    status: 409,
    title: 'It exists already with other content',
    openAiType: 'invalid_request_error',
  },
  forbidden: { status: 403, title: 'Not allowed', openAiType: 'invalid_request_error' },
  'rate-limited': {
    status: 429,
    title: 'Too many requests',
    openAiType: 'rate_limit_error',
    retryAfterSeconds: 5,
  },
  unavailable: {
    status: 503,
    title: 'A service behind this one does not answer; nothing was stored',
    openAiType: 'server_error',
    retryAfterSeconds: 2,
  },
  'bad-signature': { status: 401, title: 'The signature is not valid', openAiType: 'invalid_request_error' },
  'wrong-signer': {
    status: 401,
    title: 'The signature is by another key than the one named',
    openAiType: 'invalid_request_error',
  },
  'wrong-deployment': {
    status: 400,
    title: 'Signed for another deployment',
    openAiType: 'invalid_request_error',
  },
  'not-governor': {
    status: 403,
    title: 'Only a Protocol Governor may do this',
    openAiType: 'invalid_request_error',
  },
  'proposal-not-open': { status: 409, title: 'The vote is not open', openAiType: 'invalid_request_error' },
  'proposal-window-invalid': {
    status: 400,
    title: 'The times do not fit the rules',
    openAiType: 'invalid_request_error',
  },
  'proposal-not-reviewable': {
    status: 409,
    title: 'The review is over',
    openAiType: 'invalid_request_error',
  },
  'rules-not-allowed': {
    status: 400,
    title: 'These rules are not in force here',
    openAiType: 'invalid_request_error',
  },
  'below-threshold': {
    status: 403,
    title: 'Not enough voting power to propose',
    openAiType: 'invalid_request_error',
  },
  'zero-power': {
    status: 403,
    title: 'No voting power at the snapshot',
    openAiType: 'invalid_request_error',
  },
  'stale-nonce': {
    status: 409,
    title: 'A newer ballot of yours counts',
    openAiType: 'invalid_request_error',
  },
  equivocation: {
    status: 409,
    title: 'The same nonce was signed with other content',
    openAiType: 'invalid_request_error',
  },
  'warrant-missing': {
    status: 403,
    title: 'No warrant: only a passed vote starts this',
    openAiType: 'invalid_request_error',
  },
  'warrant-invalid': { status: 403, title: 'The warrant is not valid', openAiType: 'invalid_request_error' },
  'warrant-expired': { status: 403, title: 'The warrant has expired', openAiType: 'invalid_request_error' },
  'warrant-used': { status: 409, title: 'The warrant was used', openAiType: 'invalid_request_error' },
  'warrant-input-mismatch': {
    status: 403,
    title: 'The input is not the one that was voted',
    openAiType: 'invalid_request_error',
  },
  'budget-exceeded': {
    status: 409,
    title: 'More than the voted budget',
    openAiType: 'invalid_request_error',
  },
  'datanet-not-open': {
    status: 409,
    title: 'This Datanet does not take submissions',
    openAiType: 'invalid_request_error',
  },
  'digest-mismatch': {
    status: 422,
    title: 'The bytes are not the ones that were signed',
    openAiType: 'invalid_request_error',
  },
  'license-not-allowed': {
    status: 422,
    title: 'This Datanet does not take that license',
    openAiType: 'invalid_request_error',
  },
  'dataset-changed': {
    status: 409,
    title: 'The frozen dataset is not the one that was voted',
    openAiType: 'invalid_request_error',
  },
  'not-eligible': {
    status: 403,
    title: 'Not among the people of this round',
    openAiType: 'invalid_request_error',
  },
  'round-closed': { status: 409, title: 'The round is closed', openAiType: 'invalid_request_error' },
  'key-missing': { status: 401, title: 'No API key', openAiType: 'invalid_request_error' },
  'key-invalid': { status: 401, title: 'This API key is not known', openAiType: 'invalid_request_error' },
  'model-not-served': { status: 404, title: 'This model is not served', openAiType: 'invalid_request_error' },
  'model-waking': {
    status: 503,
    title: 'The model is waking up',
    openAiType: 'server_error',
    retryAfterSeconds: 30,
  },
  'credit-exhausted': {
    status: 402,
    title: 'The credit of this key is used up',
    openAiType: 'insufficient_quota',
  },
  'period-settled': { status: 409, title: 'This period is settled', openAiType: 'invalid_request_error' },
  internal: { status: 500, title: 'Something went wrong on our side', openAiType: 'server_error' },
}
