import { readFileSync } from 'node:fs'
import { artifactPath, artifactText, type ContractName, compileContracts } from '../../contracts/compile.ts'

describe('committed contract artifacts', () => {
  it('are what the sources compile to', () => {
    for (const [name, artifact] of Object.entries(compileContracts()))
      expect(readFileSync(artifactPath(name as ContractName), 'utf8')).toBe(artifactText(artifact))
  }, 60_000)
})
