import { figuresOf, passProposal, tryForgedBallot } from './pass-proposal.ts'
import { LICENSE, PlayFailed, type Stage } from './stage.ts'

/** Step 1: the community opens a Datanet for naming IAM actions. */
export async function openDatanet(stage: Stage): Promise<Record<string, unknown>> {
  const { artifacts, size } = stage
  const set = (name: keyof Stage['material']['sets'], items: number) => ({
    digest: artifacts.sets[name] ?? '',
    items,
  })
  const proposal = await passProposal(stage, {
    title: 'Open a Datanet for naming IAM actions',
    summary: 'Given a service and a need, name the IAM action, so that people grant what they mean.',
    action: {
      type: 'open-datanet',
      budgetUsdMicro: 5_000_000,
      input: {
        schema: 1,
        slug: 'iam-actions',
        title: 'AWS IAM actions',
        purpose:
          'Records that name the IAM action for a need of a service, with its access level where the writer says it.',
        recordProfile: 'instruction',
        systemPrompt: '',
        licenses: [LICENSE],
        baseModel: artifacts.baseModel,
        modelProfile: stage.modelProfile,
        sealedSet: set('sealed', size.evaluationItems),
        usefulnessSets: [
          set('usefulness', size.usefulnessItems),
          set('usefulnessNext', size.usefulnessItems),
        ],
        shotSet: set('shots', 3),
        recipe: artifacts.recipe,
        maxSubmissionBytes: 5_000_000,
        maxRecordsPerUnvettedAccount: 25,
      },
    },
  })
  const datanetId = proposal.outcome?.datanetId
  if (datanetId === undefined) throw new PlayFailed('The executed proposal names no Datanet')
  stage.made.datanetId = datanetId
  await tryForgedBallot(stage, proposal.id)
  return { ...figuresOf(proposal), datanetId }
}
