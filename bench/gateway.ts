import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CreateEndpointCommand,
  type CreateEndpointCommandInput,
  CreateEndpointConfigCommand,
  type CreateEndpointConfigCommandInput,
  CreateInferenceComponentCommand,
  type CreateInferenceComponentCommandInput,
  CreateModelCommand,
  type CreateModelCommandInput,
  DescribeEndpointCommand,
  DescribeInferenceComponentCommand,
  SageMakerClient,
} from '@aws-sdk/client-sagemaker'
import { documentClient } from '../adapters/dynamo/document-client.ts'
import { aliasBook, keyBook } from '../adapters/dynamo/serving-table.ts'
import { parseAddress, parseBytes32 } from '../domain/protocol/hex.ts'
import { keccak256Hex } from '../domain/protocol/ids.ts'
import { keyHashOf } from '../domain/serving/api-key.ts'
import { planRelease, type ServingProfile } from '../domain/serving/plan-release.ts'
import { addedTo, type Row, spreadOf } from './measure.ts'
import { REPOSITORY, type Stage, tinyModel, until } from './stage.ts'

/**
 * A chat completion with a key through edge and handler (look up the key, reserve, ask, charge), beside the same
 * request at the endpoint's own OpenAI path. One request at a time, the two in turns, a fresh connection for none.
 */

const ALIAS = 'bench'
const MAX_TOKENS = 16
const REQUESTS = 80
const WARM_UP = 5
const START_SECONDS = 120
const ROLE = 'arn:aws:iam::000000000000:role/serving'
const CREDIT_WEI = 10n ** 24n

export async function benchGateway(stage: Stage, note: (line: string) => void): Promise<Row[]> {
  const target = await serve(stage)
  const apiKey = await aKey(stage)
  const { url, sagemakerUrl } = stage.stack
  const { endpoint, component } = target
  const direct = `${sagemakerUrl}/endpoints/${endpoint}/inference-components/${component}/openai/v1/chat/completions`
  const gateway = `${url}/v1/chat/completions`
  const headers = { authorization: `Bearer ${apiKey}` } // the endpoint asks for a token too, whatever it says

  const names = ['whole', 'wholeDirect', 'first', 'firstDirect', 'last', 'lastDirect'] as const
  const times = Object.fromEntries(names.map(name => [name, []])) as unknown as Record<
    (typeof names)[number],
    number[]
  >
  const tokens = new Set<number>()
  for (let request = -WARM_UP; request < REQUESTS; request++) {
    const measured = {
      wholeDirect: await whole(direct, headers),
      whole: await whole(gateway, headers),
      streamedDirect: await streamed(direct, headers),
      streamed: await streamed(gateway, headers),
    }
    if (request < 0) continue
    times.wholeDirect.push(measured.wholeDirect.ms)
    times.whole.push(measured.whole.ms)
    times.firstDirect.push(measured.streamedDirect.firstMs)
    times.first.push(measured.streamed.firstMs)
    times.lastDirect.push(measured.streamedDirect.lastMs)
    times.last.push(measured.streamed.lastMs)
    tokens.add(measured.whole.tokens).add(measured.wholeDirect.tokens)
  }
  if (tokens.size !== 1) throw new Error(`The answers differ in length: ${[...tokens].join(', ')} tokens`)
  note(`${[...tokens][0]} tokens an answer, a random model of two layers, one request at a time`)
  const row = (what: string, figures: number[], comparisons: number[]): Row => ({
    what,
    unit: 'ms',
    figure: spreadOf(figures),
    comparison: { what: "at the model's endpoint", figure: spreadOf(comparisons) },
    added: addedTo(figures, comparisons),
  })
  return [
    row('completion through the gateway, whole answer', times.whole, times.wholeDirect),
    row('completion through the gateway, streamed: first piece', times.first, times.firstDirect),
    row('completion through the gateway, streamed: last piece', times.last, times.lastDirect),
  ]
}

const question = (stream: boolean) =>
  JSON.stringify({
    model: ALIAS,
    messages: [{ role: 'user', content: 'Which action lists buckets?' }],
    max_tokens: MAX_TOKENS,
    temperature: 0,
    ...(stream ? { stream, stream_options: { include_usage: true } } : {}),
  })

async function ask(url: string, headers: Record<string, string>, stream: boolean): Promise<Response> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: question(stream),
  })
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}: ${await answer.text()}`)
  return answer
}

async function whole(url: string, headers: Record<string, string>): Promise<{ ms: number; tokens: number }> {
  const startedAt = performance.now()
  const answer = await ask(url, headers, false)
  const { usage } = (await answer.json()) as { usage: { completion_tokens: number } }
  return { ms: performance.now() - startedAt, tokens: usage.completion_tokens }
}

async function streamed(
  url: string,
  headers: Record<string, string>,
): Promise<{ firstMs: number; lastMs: number }> {
  const startedAt = performance.now()
  const { body } = await ask(url, headers, true)
  let firstMs: number | undefined
  let text = ''
  const decoder = new TextDecoder()
  for await (const bytes of body!) {
    text += decoder.decode(bytes, { stream: true })
    // The first event may only name the role: what a reader waits for is the first piece of text.
    if (firstMs === undefined && /"content": ?"[^"]/.test(text)) firstMs = performance.now() - startedAt
  }
  if (firstMs === undefined || !text.includes('[DONE]'))
    throw new Error(`${url} streamed: ${text.slice(-500)}`)
  return { firstMs, lastMs: performance.now() - startedAt }
}

/** A key with credit, as a deposit would have bought it. */
async function aKey(stage: Stage): Promise<string> {
  const text = `olk_${randomBytes(32).toString('base64url')}`
  const kept = await keyBook(documentClient(), stage.stack.deployment.outputs.ServingTableName!).add({
    keyHash: keyHashOf(text),
    account: parseAddress(`0x${randomBytes(20).toString('hex')}`),
    depositTx: parseBytes32(`0x${randomBytes(32).toString('hex')}`),
    depositedWei: CREDIT_WEI,
    creditWei: CREDIT_WEI,
    reservedWei: 0n,
    spentWei: 0n,
    createdAt: Date.now(),
    usage: { requests: 0, promptTokens: 0, completionTokens: 0 },
  })
  if (kept !== 'added') throw new Error(`The key was not kept: ${kept}`)
  return text
}

/** A tiny model in service behind an alias, with the requests that a release sends. */
async function serve(stage: Stage): Promise<{ endpoint: string; component: string }> {
  const sagemaker = new SageMakerClient({})
  const { baseModel } = await stage.bring(tinyModel(stage.folder))
  const idOf = (text: string) => parseBytes32(keccak256Hex(`bench ${text}`))
  const plan = planRelease({
    stage: 'local',
    artifactsBucket: stage.bucket,
    profile: JSON.parse(
      readFileSync(join(REPOSITORY, 'config/model-profiles/cpu-135m.json'), 'utf8'),
    ) as ServingProfile,
    datanetId: idOf('datanet'),
    versionId: idOf('version'),
    weightsKey: `base-models/${baseModel}/`,
    runId: idOf('run'),
    attempt: 1,
  })
  const withRole = { ExecutionRoleArn: ROLE }
  await sagemaker.send(new CreateModelCommand({ ...plan.model, ...withRole } as CreateModelCommandInput))
  await sagemaker.send(
    new CreateEndpointConfigCommand({
      ...plan.endpointConfig,
      ...withRole,
    } as unknown as CreateEndpointConfigCommandInput),
  )
  await sagemaker.send(new CreateEndpointCommand(plan.endpoint as unknown as CreateEndpointCommandInput))
  const { EndpointName } = plan.endpoint
  await until('The endpoint', START_SECONDS, async () => {
    const { EndpointStatus } = await sagemaker.send(new DescribeEndpointCommand({ EndpointName }))
    return EndpointStatus === 'InService' ? true : undefined
  })
  const { InferenceComponentName } = plan.component
  await sagemaker.send(
    new CreateInferenceComponentCommand(plan.component as unknown as CreateInferenceComponentCommandInput),
  )
  await until('The model', START_SECONDS, async () => {
    const seen = await sagemaker.send(new DescribeInferenceComponentCommand({ InferenceComponentName }))
    if (seen.InferenceComponentStatus === 'Failed') throw new Error(seen.FailureReason)
    return seen.InferenceComponentStatus === 'InService' ? true : undefined
  })
  const current = {
    version: idOf('version'),
    endpoint: EndpointName,
    component: InferenceComponentName,
    modelProfile: 'cpu-135m',
    movedAt: Date.now(),
    warrantId: idOf('warrant'),
  }
  await aliasBook(documentClient(), stage.stack.deployment.outputs.ServingTableName!).move(null, {
    alias: ALIAS,
    datanetId: idOf('datanet'),
    current,
    previous: null,
    systemPrompt: '',
    retired: null,
    generation: 1,
  })
  return current
}
