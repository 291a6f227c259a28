import type { Profile } from '../../cli/profile.ts'
import { sha256Hex } from '../../domain/protocol/ids.ts'
import { followAlign } from '../../examples/iam-assistant/play/align.ts'
import { passProposal } from '../../examples/iam-assistant/play/pass-proposal.ts'
import { newReport } from '../../examples/iam-assistant/play/play.ts'
import type { Report } from '../../examples/iam-assistant/play/stage.ts'
import { setTheStage } from '../../examples/iam-assistant/rehearse.ts'

/**
 * Votes an alignment of the model that the fine-tune made, in which the validators agree with each other on
 * preferences that have nothing to do with the answers: there is nothing to learn.
 */
export async function alignByShuffledPreferences(
  profile: Profile,
  played: Report,
): Promise<{ parent: string } & Record<string, unknown>> {
  const lines: string[] = []
  const stage = await setTheStage(profile, {
    tiny: true,
    report: newReport(),
    progress: { step: (_title, work) => work(), say: line => lines.push(line), end: () => undefined },
  })
  const figures = (id: string) => played.steps.find(step => step.id === id)?.figures ?? {}
  const datanetId = String(figures('open-datanet').datanetId)
  const parent = String(figures('fine-tune').version)
  const { artifacts } = stage
  const proposal = await passProposal(stage, {
    title: 'Align by shuffled preferences',
    summary: 'A reward model learns nothing from these, and the candidate must not be promoted.',
    action: {
      type: 'align',
      budgetUsdMicro: 20_000_000,
      input: {
        datanetId,
        parentVersion: parent,
        modelProfile: stage.modelProfile,
        recipe: artifacts.recipe,
        promptSet: artifacts.sets.prompts ?? '',
        goldSet: artifacts.sets.gold ?? '',
        sealedSet: artifacts.sets.sealed ?? '',
        judgmentsPerPair: 3,
        roundSeconds: 600,
        targets: ['ethics'],
        gate: { ...stage.gate, evaluationItems: stage.size.evaluationItems },
      },
    },
  })
  const output = await followAlign({
    ...stage,
    // Gold is known to everybody who looks, so that the validators are kept and their preferences count.
    taste: answer =>
      / \([A-Z][A-Za-z ]+\)$/.test(answer) ? 2 : Number.parseInt(sha256Hex(answer).slice(0, 8), 16) / 2 ** 32,
    made: { datanetId, buildProposalId: proposal.id },
  }).catch((error: unknown) => {
    throw new Error(`${error instanceof Error ? error.message : error}\n${lines.slice(-20).join('\n')}`)
  })
  return { ...output, parent }
}
