/**
 * What a script-mode container gives its script: arguments, SM_* variables and the configuration files of
 * /opt/ml/input/config, as the sagemaker-training toolkit makes them (its ENVIRONMENT_VARIABLES.md).
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Channel, CreateTrainingJobRequest } from '@aws-sdk/client-sagemaker'

/** The folders of one attempt; on AWS they lie under /opt/ml. */
export type JobFolders = {
  root: string
  code: string
  input: string
  inputConfig: string
  inputData: string
  model: string
  output: string
  outputData: string
  checkpoints: string
  temporary: string
}

export function jobFolders(root: string): JobFolders {
  return {
    root,
    code: join(root, 'code'),
    input: join(root, 'input'),
    inputConfig: join(root, 'input', 'config'),
    inputData: join(root, 'input', 'data'),
    model: join(root, 'model'),
    output: join(root, 'output'),
    outputData: join(root, 'output', 'data'),
    checkpoints: join(root, 'checkpoints'),
    temporary: join(root, 'tmp'),
  }
}

/** Makes every folder, empty. */
export function makeJobFolders(folders: JobFolders): void {
  for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true })
}

/** The two hyperparameters by which script mode finds its script. */
export type ScriptMode = { program: string; submitDirectory: string }

/** Undefined where the request is not script mode. The SDK for Python sends JSON strings, others plain ones. */
export function scriptModeOf(hyperParameters: Record<string, string>): ScriptMode | undefined {
  const program = hyperParameters.sagemaker_program
  const submitDirectory = hyperParameters.sagemaker_submit_directory
  if (program === undefined || submitDirectory === undefined) return undefined
  return { program: unquoted(program), submitDirectory: unquoted(submitDirectory) }
}

/** The script's own hyperparameters: those that the toolkit keeps for itself start with `sagemaker_`. */
function ownHyperParameters(hyperParameters: Record<string, string>): [name: string, value: string][] {
  return Object.entries(hyperParameters)
    .filter(([name]) => !name.startsWith('sagemaker_'))
    .map(([name, value]): [string, string] => [name, unquoted(value)])
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

/** `--name value` in the order of names; a name of one letter gets one dash (the toolkit's to_cmd_args). */
export function scriptArguments(hyperParameters: Record<string, string>): string[] {
  return ownHyperParameters(hyperParameters).flatMap(([name, value]) => [
    name.length > 1 ? `--${name}` : `-${name}`,
    value,
  ])
}

/** Writes hyperparameters.json, inputdataconfig.json and resourceconfig.json. */
export function writeInputConfig(request: CreateTrainingJobRequest, folders: JobFolders): void {
  const files = {
    'hyperparameters.json': request.HyperParameters ?? {},
    'inputdataconfig.json': inputDataConfig(request.InputDataConfig ?? []),
    'resourceconfig.json': resourceConfig(request),
  }
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folders.inputConfig, name), JSON.stringify(content))
}

export type JobEnvironmentInput = {
  request: CreateTrainingJobRequest
  arn: string
  region: string
  folders: JobFolders
  script: ScriptMode
  /** Folder of the Python that stands for the training image. */
  pythonBin: string
}

/**
 * The complete environment of the script. Nothing of the server's own environment passes but the language:
 * a training script must not see the credentials of whoever started the stack.
 */
export function jobEnvironment(input: JobEnvironmentInput): Record<string, string> {
  const { request, folders, script } = input
  const hyperParameters = Object.fromEntries(ownHyperParameters(request.HyperParameters ?? {}))
  const channels = (request.InputDataConfig ?? []).map(channel => channel.ChannelName!)
  const channelFolders = Object.fromEntries(channels.map(name => [name, join(folders.inputData, name)]))
  const moduleName = script.program.replace(/\.py$/, '')
  const cpus = availableParallelism()
  const trainingEnvironment = {
    additional_framework_parameters: {},
    channel_input_dirs: channelFolders,
    current_host: HOST,
    current_instance_type: request.ResourceConfig?.InstanceType,
    framework_module: null,
    hosts: [HOST],
    hyperparameters: hyperParameters,
    input_config_dir: folders.inputConfig,
    input_data_config: inputDataConfig(request.InputDataConfig ?? []),
    input_dir: folders.input,
    is_master: true,
    job_name: request.TrainingJobName,
    log_level: 20,
    model_dir: folders.model,
    module_dir: script.submitDirectory,
    module_name: moduleName,
    network_interface_name: 'lo',
    num_cpus: cpus,
    num_gpus: 0,
    output_data_dir: folders.outputData,
    output_dir: folders.output,
    resource_config: resourceConfig(request),
    user_entry_point: script.program,
  }
  const variables: Record<string, string> = {
    SM_CHANNELS: JSON.stringify([...channels].sort()),
    SM_CURRENT_HOST: HOST,
    SM_CURRENT_INSTANCE_TYPE: request.ResourceConfig?.InstanceType ?? '',
    SM_HOSTS: JSON.stringify([HOST]),
    SM_HPS: JSON.stringify(hyperParameters),
    SM_INPUT_CONFIG_DIR: folders.inputConfig,
    SM_INPUT_DATA_CONFIG: JSON.stringify(inputDataConfig(request.InputDataConfig ?? [])),
    SM_INPUT_DIR: folders.input,
    SM_LOG_LEVEL: '20',
    SM_MODEL_DIR: folders.model,
    SM_MODULE_DIR: script.submitDirectory,
    SM_MODULE_NAME: moduleName,
    SM_NETWORK_INTERFACE_NAME: 'lo',
    SM_NUM_CPUS: String(cpus),
    SM_NUM_GPUS: '0',
    SM_OUTPUT_DATA_DIR: folders.outputData,
    SM_OUTPUT_DIR: folders.output,
    SM_RESOURCE_CONFIG: JSON.stringify(resourceConfig(request)),
    SM_TRAINING_ENV: JSON.stringify(trainingEnvironment),
    SM_USER_ARGS: JSON.stringify(scriptArguments(request.HyperParameters ?? {})),
    SM_USER_ENTRY_POINT: script.program,
    TRAINING_JOB_NAME: request.TrainingJobName!,
    TRAINING_JOB_ARN: input.arn,
    AWS_REGION: input.region,
    // /opt/ml/checkpoints is a fixed place on AWS; here each attempt has its own.
    OPENLEDGER_CHECKPOINT_DIR: folders.checkpoints,
    ...privateHome(folders.root, folders.temporary, input.pythonBin),
  }
  for (const [name, value] of Object.entries(hyperParameters)) setBoth(variables, `SM_HP_${name}`, value)
  for (const [name, folder] of Object.entries(channelFolders))
    setBoth(variables, `SM_CHANNEL_${name}`, folder)
  return { ...variables, ...request.Environment }
}

/** A home, caches and a temporary folder of its own, no network for model hubs, and unbuffered output. */
export function privateHome(home: string, temporary: string, pythonBin: string): Record<string, string> {
  return {
    PATH: `${pythonBin}:/usr/local/bin:/usr/bin:/bin`,
    HOME: home,
    TMPDIR: temporary,
    HF_HOME: join(home, 'huggingface'),
    HF_HUB_OFFLINE: '1',
    TRANSFORMERS_OFFLINE: '1',
    HF_DATASETS_OFFLINE: '1',
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    TOKENIZERS_PARALLELISM: 'false',
    LANG: process.env.LANG ?? 'C.UTF-8',
  }
}

/** SageMaker's name of the first instance. */
const HOST = 'algo-1'

function resourceConfig(request: CreateTrainingJobRequest) {
  return {
    current_host: HOST,
    current_instance_type: request.ResourceConfig?.InstanceType,
    current_group_name: 'homogeneousCluster',
    hosts: [HOST],
    instance_groups: [
      {
        instance_group_name: 'homogeneousCluster',
        instance_type: request.ResourceConfig?.InstanceType,
        hosts: [HOST],
      },
    ],
    network_interface_name: 'lo',
  }
}

function inputDataConfig(channels: Channel[]) {
  return Object.fromEntries(
    channels.map(channel => [
      channel.ChannelName!,
      {
        TrainingInputMode: channel.InputMode ?? 'File',
        S3DistributionType: channel.DataSource?.S3DataSource?.S3DataDistributionType ?? 'FullyReplicated',
        RecordWrapperType: channel.RecordWrapperType ?? 'None',
        ...(channel.ContentType ? { ContentType: channel.ContentType } : {}),
      },
    ]),
  )
}

/**
 * The toolkit only puts the name in upper case and keeps its dashes (`SM_HP_LEARNING-RATE`), a name that no
 * shell can set; the form with underscores is given beside it.
 */
function setBoth(variables: Record<string, string>, name: string, value: string): void {
  variables[name.toUpperCase()] = value
  variables[name.toUpperCase().replaceAll('-', '_')] = value
}

/** A hyperparameter that is a JSON string means its text; every other value stays as it was sent. */
function unquoted(value: string): string {
  if (!value.startsWith('"')) return value
  try {
    const parsed: unknown = JSON.parse(value)
    return typeof parsed === 'string' ? parsed : value
  } catch {
    return value
  }
}
