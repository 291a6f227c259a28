import type { Command } from 'commander'
import { FetchRequest, JsonRpcProvider, Wallet } from 'ethers'
import { createClient } from '../api/client.ts'
import { OpenLedgerError } from '../domain/errors.ts'
import { openSession, type Session } from './actions/session.ts'
import { readText } from './files.ts'
import { type Answer, print } from './output.ts'
import { loadProfile, type Profile } from './profile.ts'

export type Context = {
  readonly profile: Profile
  readonly session: () => Promise<Session>
  readonly show: (answer: Answer) => void
}

/** What every command starts with, from the options before its name. */
export function contextOf(command: Command): Context {
  const { profile: name, json } = command.optsWithGlobals<{ profile: string; json: boolean }>()
  const profile = loadProfile(name)
  return {
    profile,
    session: () => openSession(createClient({ baseUrl: profile.baseUrl })),
    show: answer => print(answer, json),
  }
}

/**
 * The wallet that signs: a file with a private key, or OPENLEDGER_KEY. Never an argument: arguments show in
 * process lists and shell histories. A refusal never repeats what was given: it may be a key with a typing mistake.
 * @throws OpenLedgerError key-missing, malformed, not-found
 */
export function walletOf(options: { keyFile?: string }): Wallet {
  const key = (
    options.keyFile === undefined
      ? (process.env.OPENLEDGER_KEY ?? '')
      : readText(options.keyFile, 'a file with a private key: 0x and 64 hex digits')
  ).trim()
  const where = options.keyFile ?? 'OPENLEDGER_KEY'
  if (key === '' && options.keyFile === undefined) {
    throw new OpenLedgerError('key-missing', 'There is no key to sign with', {
      expected: '--key-file FILE, or the environment variable OPENLEDGER_KEY',
      seen: 'neither',
    })
  }
  const expected = 'a private key: 64 hex digits, with or without 0x'
  if (!/^(0x)?[0-9a-f]{64}$/i.test(key))
    throw new OpenLedgerError('malformed', `${where} does not hold a private key`, {
      expected,
      seen: `${key.length} characters of another kind`,
    })
  try {
    return new Wallet(key)
  } catch {
    throw new OpenLedgerError('malformed', `${where} does not hold a private key`, {
      expected: 'a number that secp256k1 takes as a private key',
      seen: 'one that it does not take',
    })
  }
}

/** Longer than any node that can be used takes for one call. */
const RPC_TIMEOUT_MS = 30_000

/** A connection to a chain, which nothing is asked yet. It gives up in time, and is for the caller to destroy. */
export function chainAt(rpcUrl: string, chainId: number, timeoutMs = RPC_TIMEOUT_MS): JsonRpcProvider {
  const request = new FetchRequest(rpcUrl)
  request.timeout = timeoutMs
  return new JsonRpcProvider(request, chainId, { staticNetwork: true, batchMaxCount: 1 })
}

/** The same wallet on the deployment's chain, for transactions. @throws OpenLedgerError malformed */
export function connected(profile: Profile, session: Session, options: { keyFile?: string }): Wallet {
  return walletOf(options).connect(chainAt(rpcUrlOf(profile), session.genesis.chainId))
}

/** @throws OpenLedgerError key-missing */
export function apiKeyOf({ apiKey, name }: Profile): string {
  const key = process.env.OPENLEDGER_API_KEY ?? apiKey
  if (key !== undefined && key !== '') return key
  throw new OpenLedgerError('key-missing', 'There is no API key', {
    expected: `OPENLEDGER_API_KEY in the environment, or "apiKey" in the profile ${name}; \`keys create\` buys one`,
    seen: 'neither',
  })
}

/** @throws OpenLedgerError malformed */
function rpcUrlOf({ rpcUrl, name }: Profile): string {
  if (rpcUrl !== undefined) return rpcUrl
  throw new OpenLedgerError('malformed', 'This needs the chain', {
    expected: `"rpcUrl" in the profile ${name}: an RPC endpoint of the deployment's chain`,
    seen: 'a profile without it',
  })
}
