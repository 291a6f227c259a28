/**
 * Compiles the contracts offline and writes `contracts/generated/<Name>.json` with ABI and bytecode; these
 * are committed, so that deployments and tests compile nothing. Run: `node contracts/compile.ts`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CONTRACTS = ['OpenToken', 'GOpen', 'RewardClaims'] as const
export type ContractName = (typeof CONTRACTS)[number]

const folder = fileURLToPath(new URL('.', import.meta.url))
const nodeModules = join(folder, '..', 'node_modules')

const SETTINGS = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: 'prague',
  // The hash of the sources would change the bytecode with every comment.
  metadata: { bytecodeHash: 'none', appendCBOR: false },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
}

/** What is committed for a contract. */
export interface Artifact {
  readonly _generated: string
  readonly abi: readonly unknown[]
  /** Creation code as 0x-hex, without constructor arguments. */
  readonly bytecode: string
}

interface SolcOutput {
  readonly errors?: readonly {
    readonly severity: string
    readonly formattedMessage: string
    readonly sourceLocation?: { readonly file: string }
  }[]
  readonly contracts: Record<
    string,
    Record<
      string,
      { readonly abi: readonly unknown[]; readonly evm: { readonly bytecode: { readonly object: string } } }
    >
  >
}
interface Solc {
  compile(
    input: string,
    callbacks: { import(path: string): { contents: string } | { error: string } },
  ): string
}

/** Artifacts of all contracts. Warnings about our own sources are errors. @throws Error with solc's messages */
export function compileContracts(): Record<ContractName, Artifact> {
  // solc is a CommonJS package of 9 MB: it is loaded only when somebody compiles.
  const solc = createRequire(import.meta.url)('solc') as Solc
  const sources = Object.fromEntries(
    CONTRACTS.map(name => [`${name}.sol`, { content: readFileSync(join(folder, `${name}.sol`), 'utf8') }]),
  )
  const input = JSON.stringify({ language: 'Solidity', sources, settings: SETTINGS })
  const text = solc.compile(input, {
    import(path) {
      try {
        return { contents: readFileSync(join(nodeModules, path), 'utf8') }
      } catch (cause) {
        return { error: String(cause) }
      }
    },
  })
  const output = JSON.parse(text) as SolcOutput
  const isOurs = (file: string | undefined) => file === undefined || !file.startsWith('@')
  const problems = (output.errors ?? []).filter(
    problem => problem.severity === 'error' || isOurs(problem.sourceLocation?.file),
  )
  if (problems.length > 0) throw new Error(problems.map(problem => problem.formattedMessage).join('\n'))
  const artifacts = CONTRACTS.map(name => {
    const contract = output.contracts[`${name}.sol`]?.[name]
    if (contract === undefined) throw new Error(`solc did not compile ${name}`)
    const bytecode = `0x${contract.evm.bytecode.object}`
    return [name, { _generated: 'node contracts/compile.ts', abi: contract.abi, bytecode }]
  })
  return Object.fromEntries(artifacts) as Record<ContractName, Artifact>
}

/** The text of an artifact's file. */
export function artifactText(artifact: Artifact): string {
  return `${JSON.stringify(artifact, null, 1)}\n`
}

/** Where an artifact is committed. */
export function artifactPath(name: ContractName): string {
  return join(folder, 'generated', `${name}.json`)
}

if (import.meta.main) {
  mkdirSync(join(folder, 'generated'), { recursive: true })
  for (const [name, artifact] of Object.entries(compileContracts())) {
    writeFileSync(artifactPath(name as ContractName), artifactText(artifact))
    process.stdout.write(`${name}: ${(artifact.bytecode.length - 2) / 2} bytes of creation code\n`)
  }
}
