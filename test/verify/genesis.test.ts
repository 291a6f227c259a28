import { genesisLeaf } from '../../domain/data/leaves.ts'
import { readGenesis } from '../../verify/index.ts'
import { aLog, aVoteOf } from './a-life.ts'

describe('the genesis document', () => {
  const aGenesis = async () => {
    const { genesis, trust } = await aVoteOf([])
    const signers = {
      receipt: `0x${'01'.repeat(20)}`,
      warrant: trust.warrantSigner!,
      payout: `0x${'02'.repeat(20)}`,
      logHead: trust.logKey!,
    }
    const log = await aLog(genesis, [{ ...genesisLeaf(genesis, signers) }, { kind: 'other' }])
    return { log, trust, genesis, signers }
  }

  it('gives from its log proof all that the other verifications take as given', async () => {
    const { log, trust, genesis } = await aGenesis()
    const read = await readGenesis(log.proofAt(0), { deploymentId: genesis.deploymentId })
    expect(read.report.checks.filter(check => !check.ok)).toEqual([])
    expect(read.trust).toEqual(trust)
    expect(read.report.notChecked).toEqual([])
    expect((await readGenesis(log.proofAt(0))).report.notChecked).toHaveLength(1)
  })

  it('is not taken from another leaf, another deployment or another key', async () => {
    const { log, genesis, signers, trust } = await aGenesis()
    const wrong = async (...args: Parameters<typeof readGenesis>) => {
      const { report, trust: found } = await readGenesis(...args)
      expect(found).toBeUndefined()
      return report.checks.find(check => !check.ok)?.name
    }
    expect(await wrong(log.proofAt(1))).toBe('log key')
    expect(await wrong(log.proofAt(0), { deploymentId: `0x${'77'.repeat(32)}` })).toBe('genesis')
    expect(await wrong(log.proofAt(0), { logKey: trust.logKey!.replace(/.$/, 'x') })).toBe('log key')
    expect(await wrong({ ...log.proofAt(0), index: 1 })).toBe('genesis in the log')
    expect(await wrong(null)).toBe('log key')
    const second = await aLog(genesis, [{ kind: 'other' }, { ...genesisLeaf(genesis, signers) }])
    expect(await wrong(second.proofAt(1))).toBe('genesis')
  })
})
