/**
 * What each function may touch, in one table: grants and environment variables are made from it and from nothing
 * else, so a function can neither do nor see more than its row says. The key is the entry: `functions/<key>.ts`.
 * Verbs are unique over all areas: a state machine names `functions/training/check-warrant.ts` as `${CheckWarrantArn}`.
 */

export const TABLES = ['governance', 'data', 'log', 'training', 'alignment', 'rewards', 'serving'] as const
export type TableName = (typeof TABLES)[number]
export const BUCKETS = ['uploads', 'data', 'artifacts', 'public'] as const
export type BucketName = (typeof BUCKETS)[number]
export const SIGNING_PURPOSES = ['receipt', 'warrant', 'log-head', 'payout'] as const
export type SigningPurpose = (typeof SIGNING_PURPOSES)[number]
/** Machines that refuse to pass their first state without a warrant. */
export const WARRANTED_MACHINES = ['fine-tune', 'align', 'release'] as const
export type MachineName =
  | (typeof WARRANTED_MACHINES)[number]
  | 'close-vote'
  | 'intake'
  | 'settle-payouts'
  | 'measure-baselines'

export type Access = {
  /**
   * `write` includes `read`. Variable: `<NAME>_TABLE`; with `log` also LOG_ORIGIN. Who appends to the log also
   * tells the bus so, and its head is signed at once.
   */
  readonly tables?: Readonly<Partial<Record<TableName, 'read' | 'write'>>>
  /** `write` includes `read`; `presign` is `read` and `write` for URLs handed out. Variable: `<NAME>_BUCKET`. */
  readonly buckets?: Readonly<Partial<Record<BucketName, 'read' | 'write' | 'presign'>>>
  /** Keys it signs with: the key's policy names its role. Variable: `<PURPOSE>_KEY_ID`. */
  readonly sign?: readonly SigningPurpose[]
  /** Keys whose public half it may read. Variable: `<PURPOSE>_KEY_ID`. */
  readonly publicKeys?: readonly SigningPurpose[]
  /** The RPC endpoints of the chain, within GENESIS. No AWS permission. */
  readonly chain?: true
  /** Machines that it may start. Variable: `<MACHINE>_MACHINE_ARN`. */
  readonly start?: readonly MachineName[]
  /** May make, read and delete one-time schedules that start close-vote, and no others. */
  readonly schedule?: true
  /** Machines whose executions it may look into. Variable: `<MACHINE>_MACHINE_ARN`. */
  readonly watch?: readonly MachineName[]
  /** Machines whose waiting tasks it may answer. */
  readonly sendTaskResult?: readonly MachineName[]
  /** Asks the stage's endpoints for answers. */
  readonly invokeEndpoints?: true
  /** Reads and sets how many copies of the stage's inference components run: zero is asleep. */
  readonly scaleModels?: true
  /** Reads the state of the stage's training jobs, endpoints and components. */
  readonly sagemakerDescribe?: true
  /** May tell the stage's bus. Variable: EVENT_BUS. */
  readonly events?: 'put'
  /** The profiles of config/model-profiles that the stage allows. Variable: MODEL_PROFILES. */
  readonly modelProfiles?: true
  /** Variables: MODEL_PRICES, PERIOD_SECONDS. */
  readonly modelPrices?: true
  /**
   * Entries with the same role share it, and its rights are the sum of their rows.
   * @default an own role
   */
  readonly role?: 'executor'
  /** @default 30, which is also the longest that API Gateway waits */
  readonly timeoutSeconds?: number
  /** @default 512; Lambda gives CPU by memory */
  readonly memoryMb?: number
}

export const access: Readonly<Record<string, Access>> = {
  // -- interface -------------------------------------------------------------------------------------------------
  'http/get-open-api': {},

  // -- governance ------------------------------------------------------------------------------------------------
  'governance/get-genesis': { publicKeys: SIGNING_PURPOSES },
  'governance/get-file': { buckets: { public: 'read' } },
  'governance/submit-proposal': {
    tables: { governance: 'write' },
    sign: ['receipt'],
    schedule: true,
    chain: true,
  },
  'governance/list-proposals': { tables: { governance: 'read' } },
  'governance/get-proposal': { tables: { governance: 'read' } },
  'governance/submit-review': { tables: { governance: 'write' } },
  'governance/cast-ballot': {
    tables: { governance: 'write' },
    sign: ['receipt'],
    chain: true,
    memoryMb: 1024,
  },
  'governance/get-receipt': { tables: { governance: 'read' }, sign: ['receipt'] },
  'governance/get-power': { chain: true },
  // close-vote
  'governance/shut-gates': { tables: { governance: 'write' }, timeoutSeconds: 120 },
  'governance/close-vote': {
    tables: { governance: 'write', log: 'write' },
    buckets: { public: 'write' },
    events: 'put',
    chain: true,
    timeoutSeconds: 900,
    memoryMb: 1769,
  },
  'governance/execute-proposal': {
    tables: { governance: 'write', data: 'write', log: 'write' },
    sign: ['warrant'],
    start: [...WARRANTED_MACHINES, 'measure-baselines'],
    role: 'executor',
    timeoutSeconds: 120,
  },

  // -- data ------------------------------------------------------------------------------------------------------
  'data/log-genesis': { tables: { log: 'write' }, publicKeys: SIGNING_PURPOSES },
  'data/get-log-checkpoint': { tables: { log: 'read' } },
  'data/get-log-proof': { tables: { log: 'read' }, buckets: { public: 'read' } },
  'data/get-log-consistency': { tables: { log: 'read' }, buckets: { public: 'read' } },
  'data/list-datanets': { tables: { data: 'read' }, buckets: { artifacts: 'read' } },
  'data/get-datanet': { tables: { data: 'read' }, buckets: { artifacts: 'read' } },
  'data/vouch-account': { tables: { data: 'write', log: 'write' } },
  'data/get-account': { tables: { data: 'read' } },
  'data/register-submission': {
    tables: { data: 'write' },
    buckets: { artifacts: 'read', uploads: 'presign' },
  },
  'data/list-submissions': { tables: { data: 'read' } },
  'data/get-submission': { tables: { data: 'read' } },
  'data/get-submission-proof': { tables: { data: 'read', log: 'read' }, buckets: { public: 'read' } },
  'data/freeze-datanet': {
    tables: { data: 'write', log: 'write' },
    buckets: { data: 'write', public: 'write' },
    modelProfiles: true,
    memoryMb: 3008,
  },
  'data/get-frozen-dataset': { tables: { data: 'read' } },
  // by schedule, and when the bus says that a leaf was appended
  'data/publish-log': {
    tables: { log: 'write' },
    buckets: { public: 'write' },
    sign: ['log-head'],
    timeoutSeconds: 60,
  },
  // intake
  'data/start-intake': { start: ['intake'] },
  'data/inspect-submission': {
    tables: { data: 'write' },
    buckets: { artifacts: 'read', uploads: 'read' },
    timeoutSeconds: 900,
    memoryMb: 1769,
  },
  'data/compare-records': {
    tables: { data: 'write' },
    buckets: { artifacts: 'read', uploads: 'read' },
    timeoutSeconds: 900,
    memoryMb: 1769,
  },
  'data/commit-submission': {
    tables: { data: 'write', log: 'write' },
    buckets: { uploads: 'read', data: 'write' },
    timeoutSeconds: 900,
    memoryMb: 3008,
  },
  'data/sign-receipt': { tables: { data: 'write' }, sign: ['receipt'] },
  // fine-tune
  'data/check-dataset': {
    tables: { data: 'read', log: 'read' },
    buckets: { data: 'read' },
    timeoutSeconds: 900,
    memoryMb: 3008,
  },

  // -- training --------------------------------------------------------------------------------------------------
  'training/list-runs': { tables: { training: 'read' } },
  'training/get-run': {
    tables: { training: 'read' },
    buckets: { artifacts: 'read' },
    watch: WARRANTED_MACHINES,
  },
  'training/get-version': { tables: { training: 'read' } },
  // every machine
  'training/check-warrant': {
    tables: { governance: 'write', training: 'write' },
    buckets: { public: 'read' },
    publicKeys: ['warrant'],
    timeoutSeconds: 60,
    memoryMb: 1769,
  },
  'training/continue-build': {
    tables: { governance: 'write', training: 'write' },
    sign: ['warrant'],
    start: WARRANTED_MACHINES,
    role: 'executor',
    timeoutSeconds: 60,
  },
  'training/record-failure': { tables: { training: 'write' }, timeoutSeconds: 60 },
  // fine-tune, measure-baselines
  'training/plan-baselines': {
    tables: { training: 'read' },
    buckets: { artifacts: 'read', data: 'read' },
    modelProfiles: true,
    timeoutSeconds: 60,
  },
  'training/record-baselines': { tables: { training: 'write' }, timeoutSeconds: 60 },
  'training/plan-fine-tune': {
    tables: { training: 'write' },
    buckets: { artifacts: 'read', data: 'read' },
    modelProfiles: true,
    timeoutSeconds: 60,
  },
  'training/register-fine-tune': {
    tables: { training: 'write', log: 'write' },
    buckets: { artifacts: 'read', public: 'write' },
    events: 'put',
    modelProfiles: true,
    timeoutSeconds: 900,
    memoryMb: 1769,
  },
  // align
  'training/plan-align': {
    tables: { training: 'write' },
    buckets: { artifacts: 'write', data: 'read' },
    modelProfiles: true,
    timeoutSeconds: 60,
  },
  'training/check-reward-model': { buckets: { artifacts: 'read' }, timeoutSeconds: 60 },
  'training/register-align': {
    tables: { training: 'write', alignment: 'write', log: 'write' },
    buckets: { artifacts: 'read', public: 'write' },
    events: 'put',
    modelProfiles: true,
    timeoutSeconds: 900,
    memoryMb: 1769,
  },

  // -- alignment -------------------------------------------------------------------------------------------------
  'alignment/list-rounds': { tables: { alignment: 'read' } },
  'alignment/get-round': { tables: { alignment: 'read' } },
  'alignment/list-tasks': { tables: { alignment: 'read' } },
  'alignment/submit-judgment': { tables: { alignment: 'write' }, sendTaskResult: ['align'] },
  // align
  'alignment/open-round': {
    tables: { alignment: 'write', data: 'read' },
    buckets: { artifacts: 'read' },
    sendTaskResult: ['align'],
    timeoutSeconds: 120,
  },
  'alignment/score-preferences': {
    tables: { alignment: 'write', log: 'write' },
    buckets: { artifacts: 'write', public: 'write' },
    events: 'put',
    timeoutSeconds: 300,
    memoryMb: 1769,
  },

  // -- rewards ---------------------------------------------------------------------------------------------------
  'rewards/list-payouts': {
    tables: { rewards: 'read' },
    buckets: { public: 'read' },
    modelPrices: true,
  },
  'rewards/get-rewards': { tables: { rewards: 'read' }, chain: true },
  'rewards/request-settlement': {
    tables: { rewards: 'read' },
    start: ['settle-payouts'],
    modelPrices: true,
  },
  // by schedule
  'rewards/settle-due-periods': {
    tables: { rewards: 'read', serving: 'read' },
    start: ['settle-payouts'],
    modelPrices: true,
    timeoutSeconds: 60,
  },
  // settle-payouts
  'rewards/plan-settlement': {
    tables: { data: 'read', rewards: 'read', serving: 'write', training: 'read' },
    buckets: { artifacts: 'read', data: 'read', public: 'read' },
    chain: true,
    modelPrices: true,
    modelProfiles: true,
    timeoutSeconds: 120,
  },
  'rewards/settle-period': {
    tables: {
      alignment: 'read',
      data: 'read',
      log: 'write',
      rewards: 'write',
      serving: 'read',
      training: 'read',
    },
    buckets: { artifacts: 'read', public: 'write' },
    events: 'put',
    chain: true,
    timeoutSeconds: 900,
    memoryMb: 1769,
  },
  'rewards/propose-root': {
    tables: { log: 'read', rewards: 'write' },
    sign: ['payout'],
    chain: true,
    timeoutSeconds: 180,
  },

  // -- serving ---------------------------------------------------------------------------------------------------
  'serving/list-models': { tables: { serving: 'read' } },
  'serving/create-key': { tables: { serving: 'write' }, chain: true },
  'serving/get-key': { tables: { serving: 'read' } },
  'serving/create-chat-completion': {
    tables: { serving: 'write' },
    invokeEndpoints: true,
    scaleModels: true,
    modelPrices: true,
    timeoutSeconds: 900,
    memoryMb: 1024,
  },
  'serving/sleep-idle-models': {
    tables: { serving: 'read' },
    scaleModels: true,
    modelProfiles: true,
    timeoutSeconds: 120,
  },
  // release
  'serving/plan-release': {
    tables: { data: 'read', training: 'read' },
    buckets: { artifacts: 'read' },
    modelProfiles: true,
    timeoutSeconds: 60,
  },
  'serving/ask-sealed-prompts': {
    tables: { data: 'read', training: 'read' },
    buckets: { artifacts: 'read' },
    invokeEndpoints: true,
    timeoutSeconds: 300,
  },
  'serving/move-alias': { tables: { data: 'read', log: 'write', serving: 'write' }, timeoutSeconds: 60 },
}
