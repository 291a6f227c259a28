import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { type Emulator, startEmulator } from '../../local/emulator/emulator.ts'
import { freePort } from '../../local/ports.ts'
import { createLogTail, pointsOf } from '../../local/sagemaker/job-metrics.ts'
import {
  createFolderSync,
  downloadPrefix,
  NothingThere,
  type Objects,
  openObjects,
} from '../../local/sagemaker/s3-folder.ts'
import { EMULATOR_VENV } from './sagemaker-stage.ts'

const LARGE_BYTES = 17 * 1024 * 1024
const never = new AbortController().signal

let folder: string
let emulator: Emulator
let objects: Objects
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'openledger-objects-'))
  emulator = await startEmulator({
    port: await freePort(),
    stateDir: join(folder, 'emulator'),
    logDir: join(folder, 'logs'),
    runDir: join(folder, 'run'),
    venvDir: EMULATOR_VENV,
    sagemakerUrl: 'http://127.0.0.1:1',
    persist: false,
  })
  objects = openObjects(emulator.url, 'us-east-1', join(folder, 'cache'))
  await objects.s3.send(new CreateBucketCommand({ Bucket: 'things' }))
}, 60_000)
afterAll(async () => {
  objects?.s3.destroy()
  await emulator?.stop()
  rmSync(folder, { recursive: true, force: true })
}, 30_000)

const put = (key: string, body: string | Uint8Array) =>
  objects.s3.send(new PutObjectCommand({ Bucket: 'things', Key: key, Body: body }))
const fetchTo = (name: string, uri: string) => downloadPrefix(objects, uri, join(folder, name), never)
/** Runs `work` and counts the objects that S3 sent meanwhile. */
const sentDuring = async (work: () => Promise<unknown>): Promise<number> => {
  const real = objects.s3.send
  let sent = 0
  objects.s3.send = function (this: unknown, ...input: unknown[]) {
    if ((input[0] as object).constructor.name === 'GetObjectCommand') sent++
    return Reflect.apply(real, objects.s3, input)
  } as typeof real
  try {
    await work()
  } finally {
    objects.s3.send = real
  }
  return sent
}

describe('a prefix', () => {
  test('comes with its folders, and only what is below it', async () => {
    await put('a/one.txt', '1')
    await put('a/deep/two.txt', '2')
    await put('ab/three.txt', '3')
    await fetchTo('prefix', 's3://things/a/')
    expect(readFileSync(join(folder, 'prefix/deep/two.txt'), 'utf8')).toBe('2')
    expect(() => readFileSync(join(folder, 'prefix/three.txt'))).toThrow(/ENOENT/)
    await fetchTo('object', 's3://things/a/one.txt')
    expect(readFileSync(join(folder, 'object/one.txt'), 'utf8')).toBe('1')
  })

  test('that holds nothing is an error, as is a key that leaves the folder', async () => {
    await expect(fetchTo('nothing', 's3://things/nothing/')).rejects.toBeInstanceOf(NothingThere)
    await put('evil/../../escaped.txt', 'x')
    await expect(fetchTo('evil', 's3://things/evil/')).rejects.toThrow(/leaves its folder/)
  })

  test('of large objects is sent once, until it changes; what a script does to its copy stays there', async () => {
    await put('large/weights', Buffer.alloc(LARGE_BYTES, 1))
    expect(await sentDuring(() => fetchTo('large-1', 's3://things/large/'))).toBe(1)
    writeFileSync(join(folder, 'large-1/weights'), 'spoiled')
    expect(await sentDuring(() => fetchTo('large-2', 's3://things/large/'))).toBe(0)
    const second = readFileSync(join(folder, 'large-2/weights'))
    expect([second.length, second[0], second.at(-1)]).toEqual([LARGE_BYTES, 1, 1])
    await put('large/weights', Buffer.alloc(LARGE_BYTES, 2))
    expect(await sentDuring(() => fetchTo('large-3', 's3://things/large/'))).toBe(1)
    expect(readFileSync(join(folder, 'large-3/weights'))[0]).toBe(2)
  })
})

test('checkpoints go to S3 when they are new or changed, and nothing else does', async () => {
  await put('checkpoints/old.txt', 'old')
  await fetchTo('checkpoints', 's3://things/checkpoints/')
  const sync = createFolderSync(objects, join(folder, 'checkpoints'), 's3://things/checkpoints/')
  await sync.markSynced()
  expect(await sync.sync()).toEqual({ uploaded: 0 })
  writeFileSync(join(folder, 'checkpoints/new.txt'), 'new')
  expect(await sync.sync()).toEqual({ uploaded: 1 })
  writeFileSync(join(folder, 'checkpoints/new.txt'), 'newer')
  expect(await sync.sync()).toEqual({ uploaded: 1 })
  rmSync(join(folder, 'checkpoints/old.txt'))
  expect(await sync.sync()).toEqual({ uploaded: 0 })
  await fetchTo('again', 's3://things/checkpoints/')
  expect(readFileSync(join(folder, 'again/new.txt'), 'utf8')).toBe('newer')
  expect(readFileSync(join(folder, 'again/old.txt'), 'utf8')).toBe('old')
})

test('a log is read line by line however it was cut', () => {
  const file = join(folder, 'job.log')
  writeFileSync(file, 'before\n')
  const tail = createLogTail(file, 'before\n'.length)
  writeFileSync(file, 'before\n{"step": 1, "lo', { flag: 'w' })
  expect(tail.read()).toEqual([])
  const emoji = Buffer.from('ss": 0.5}\r 50%\r100%\n\u{1F600}')
  writeFileSync(file, Buffer.concat([Buffer.from('before\n{"step": 1, "lo'), emoji.subarray(0, -2)]))
  expect(tail.read()).toEqual(['{"step": 1, "loss": 0.5}', ' 50%', '100%'])
  writeFileSync(file, Buffer.concat([Buffer.from('before\n{"step": 1, "lo'), emoji, Buffer.from('\n')]))
  expect(tail.read()).toEqual(['\u{1F600}'])
})

test('a metric is the first group of its expression where that is a number', () => {
  const metrics = [
    { name: 'loss', regex: /"loss": ?([0-9.eE+-]+)/ },
    { name: 'speed', regex: /speed=(\S*)/ },
  ]
  const at = 1_700_000_000_000
  expect(pointsOf('{"step": 3, "loss": 1.5e-2}', metrics, at, 2)).toEqual([
    { metric: 'loss', value: 0.015, at, attempt: 2, step: 3 },
  ])
  expect(pointsOf('"loss": 1 speed=7', metrics, at, 1)).toEqual([
    { metric: 'loss', value: 1, at, attempt: 1 },
    { metric: 'speed', value: 7, at, attempt: 1 },
  ])
  expect(pointsOf('"loss": - speed= loss', metrics, at, 1)).toEqual([])
})
