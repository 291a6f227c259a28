import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rulePresets } from '../../domain/governance/rules.ts'
import { ConfigError, loadStage, platforms, RULE_PRESETS } from '../../infra/config.ts'
import { aConfigFolder, genesisFacts } from './support.ts'

const refusal = (folder: string, stage = 'dev') => {
  try {
    loadStage(folder, stage)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('the config was taken')
}

test('an unknown stage is refused with those that there are', () => {
  expect(refusal(aConfigFolder(), 'staging')).toMatch(/no stage "staging".*there are: dev, prod/)
})

test('a stage name cannot leave the folder', () => {
  expect(refusal(aConfigFolder(), '../config/dev')).toMatch(/no stage/)
})

test('a wrong value is named with its path, what was expected and what was seen', () => {
  const folder = aConfigFolder('dev', { genesis: { ...genesisFacts, gOpen: '0x12' } })
  expect(refusal(folder)).toMatch(/dev\.json[\s\S]*genesis\.gOpen: expected a 20-byte address.*seen "0x12"/)
})

test('a misspelled setting is refused, not ignored', () => {
  expect(refusal(aConfigFolder('dev', { retian: true }))).toMatch(/retian/)
})

test('a file that is not JSON is said to be so', () => {
  const folder = aConfigFolder()
  writeFileSync(join(folder, 'dev.json'), '{ "local": ')
  expect(refusal(folder)).toMatch(/dev\.json is not JSON/)
})

test('more governors are needed than there are: refused', () => {
  const governors = { ...genesisFacts.governors, threshold: 3 }
  expect(refusal(aConfigFolder('dev', { genesis: { ...genesisFacts, governors } }))).toMatch(
    /governors\.threshold/,
  )
})

test('a governor counted twice is refused', () => {
  const [one] = genesisFacts.governors.addresses
  const governors = { addresses: [one, one], threshold: 1 }
  expect(refusal(aConfigFolder('dev', { genesis: { ...genesisFacts, governors } }))).toMatch(
    /each governor once/,
  )
})

test('windows of seconds are refused where votes decide about money, by preset and by value', () => {
  const rehearsal = { ...genesisFacts, rules: 'rehearsal' }
  expect(refusal(aConfigFolder('prod', { genesis: rehearsal }), 'prod')).toMatch(/"rehearsal": true/)
  const hasty = { ...rulePresets['openledger-docs'], votingPeriodSeconds: 60 }
  expect(refusal(aConfigFolder('prod', { genesis: { ...genesisFacts, rules: hasty } }), 'prod')).toMatch(
    /votingPeriodSeconds/,
  )
  expect(loadStage(aConfigFolder('dev', { genesis: rehearsal }), 'dev').rules).toBe('rehearsal')
})

test('a stage that is kept cannot be a rehearsal', () => {
  expect(refusal(aConfigFolder('prod', { rehearsal: true }), 'prod')).toMatch(
    /rehearsal: expected false where retain is true/,
  )
})

test('a stage with money in it asks two endpoints of the chain', () => {
  const facts = { ...genesisFacts, rpcUrls: ['https://rpc.example.org'] }
  expect(refusal(aConfigFolder('prod', { genesis: facts }), 'prod')).toMatch(
    /two endpoints that must agree, seen 1/,
  )
})

test('the profile of one machine is refused on AWS', () => {
  const folder = aConfigFolder('dev', { modelProfiles: ['cpu-135m'], modelPrices: {} })
  expect(refusal(folder)).toMatch(/"cpu-135m" runs on one machine only/)
})

test('an unknown model profile is refused with those that there are', () => {
  const folder = aConfigFolder('dev', { modelProfiles: ['gpu-70b'], modelPrices: {} })
  expect(refusal(folder)).toMatch(/expected some of cpu-135m, gpu-1b, gpu-8b, seen "gpu-70b"/)
})

test('a spot job that may not wait as long as it may run is refused, as SageMaker would', () => {
  const folder = aConfigFolder()
  const path = join(folder, 'model-profiles', 'gpu-1b.json')
  const profile = JSON.parse(readFileSync(path, 'utf8')) as { training: Record<string, unknown> }
  profile.training.maxWaitSeconds = 60
  writeFileSync(path, JSON.stringify(profile))
  expect(refusal(folder)).toMatch(/training\.maxWaitSeconds: expected at least maxRuntimeSeconds/)
})

test('a stage may bring its own model profiles', () => {
  const folder = aConfigFolder()
  const own = JSON.parse(readFileSync(join(folder, 'model-profiles', 'gpu-1b.json'), 'utf8')) as object
  mkdirSync(join(folder, 'model-profiles'), { recursive: true })
  writeFileSync(join(folder, 'model-profiles', 'gpu-3b.json'), JSON.stringify({ ...own, name: 'gpu-3b' }))
  writeFileSync(
    join(folder, 'dev.json'),
    JSON.stringify({
      ...JSON.parse(readFileSync(join(folder, 'dev.json'), 'utf8')),
      modelProfiles: ['gpu-3b'],
      modelPrices: {},
    }),
  )
  expect(Object.keys(loadStage(folder, 'dev').modelProfiles)).toEqual(['gpu-3b'])
})

test('the presets that a config may name are those of the rules', () => {
  expect([...RULE_PRESETS].sort()).toEqual(Object.keys(rulePresets).sort())
})

test('local is one switch: it chooses the platform and nothing else', () => {
  const aws = loadStage(aConfigFolder('dev'), 'dev')
  const local = loadStage(aConfigFolder('dev', { local: true }), 'dev')
  expect(aws.platform).toBe(platforms.aws)
  expect({ ...local, local: false, platform: aws.platform }).toEqual(aws)
})
