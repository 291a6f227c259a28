import { readdirSync } from 'node:fs'
import { Duration, Stack, type StackProps } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { AreaFunctions } from '../constructs/area-functions.ts'
import { Chore } from '../constructs/chore.ts'
import { FailureRecorder } from '../constructs/failure-recorder.ts'
import { JobRole } from '../constructs/job-role.ts'
import { LogPublisher } from '../constructs/log-publisher.ts'
import { MACHINE_FILES, Machine } from '../constructs/machine.ts'
import { PipelineAlarms } from '../constructs/pipeline-alarms.ts'
import { UploadIntake } from '../constructs/upload-intake.ts'
import type { FoundationStack } from './foundation.ts'

/** What runs by itself once a vote has passed or an upload has arrived: machines, their functions, their triggers. */
export class PipelinesStack extends Stack {
  constructor(
    scope: Construct,
    id: string,
    props: StackProps & { config: StageConfig; foundation: FoundationStack },
  ) {
    super(scope, id, props)
    const { config, foundation } = props
    const { artifacts, data } = foundation.buckets
    const functions = new AreaFunctions(this, { config, foundation })

    const trainingRole = new JobRole(this, 'TrainingRole', {
      config,
      foundation,
      description: 'training jobs',
      read: [
        { bucket: artifacts, prefixes: ['code', 'wheels', 'base-models', 'sealed'] },
        { bucket: data, prefixes: ['frozen'] },
      ],
      write: [{ bucket: artifacts, prefixes: ['runs', 'checkpoints'] }],
    })
    const servingRole = new JobRole(this, 'ServingRole', {
      config,
      foundation,
      description: 'served models',
      read: [{ bucket: artifacts, prefixes: ['runs', 'base-models'] }],
    })

    const machines = machineNames().map(
      machine => new Machine(this, { config, foundation, functions, trainingRole, servingRole, machine }),
    )
    const recorder = new FailureRecorder(this, 'FailureRecorder', { functions, machines })
    new UploadIntake(this, 'UploadIntake', { functions, queue: foundation.uploadQueue })
    const publisher = new LogPublisher(this, 'LogPublisher', { functions, bus: foundation.bus })
    const chores = [
      new Chore(this, 'ModelSleeper', {
        functions,
        entry: 'serving/sleep-idle-models',
        // Idle times are minutes (config/model-profiles): looking more often would save nothing.
        every: Duration.minutes(5),
        failure: 'An idle model could not be put to sleep and costs money',
      }),
      new Chore(this, 'PeriodSettler', {
        functions,
        entry: 'rewards/settle-due-periods',
        every: Duration.minutes(10),
        failure: 'A payout period that is over could not be settled',
      }),
    ]
    new PipelineAlarms(this, 'Alarms', { config, foundation, machines, recorder, publisher, chores })
  }
}

/** `fine-tune` for each state-machines/fine-tune.asl.json. */
export function machineNames(): string[] {
  return readdirSync(MACHINE_FILES)
    .filter(file => file.endsWith('.asl.json'))
    .map(file => file.slice(0, -'.asl.json'.length))
    .sort()
}
