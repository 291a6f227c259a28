import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { JsonRpcProvider, Wallet } from 'ethers'
import { createClient } from '../api/client.ts'
import { OpenLedgerError } from '../domain/errors.ts'
import { openSession, type Session } from './actions/session.ts'
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
 * process lists and shell histories.
 */
export function walletOf(options: { keyFile?: string }): Wallet {
  const key =
    options.keyFile === undefined ? process.env.OPENLEDGER_KEY : readFileSync(options.keyFile, 'utf8').trim()
  if (key === undefined || key === '') {
    throw new OpenLedgerError('bad-signature', 'There is no key to sign with', {
      expected: '--key-file FILE, or the environment variable OPENLEDGER_KEY',
    })
  }
  return new Wallet(key)
}

/** The same wallet on the deployment's chain, for transactions. */
export function connected(profile: Profile, session: Session, options: { keyFile?: string }): Wallet {
  if (profile.rpcUrl === undefined) {
    throw new OpenLedgerError('malformed', 'This needs the chain', {
      expected: `"rpcUrl" in the profile ${profile.name}`,
    })
  }
  const provider = new JsonRpcProvider(profile.rpcUrl, session.genesis.chainId, { staticNetwork: true })
  return walletOf(options).connect(provider)
}
