import {
  askSealedPrompts,
  evaluationKey,
  ownAnswers,
  parseSealedSet,
} from '../../domain/serving/ask-sealed-prompts.ts'
import type { ServedModel } from '../../domain/serving/ports.ts'
import { hashOf } from './serving-stage.ts'

const prompts = Array.from({ length: 200 }, (_, at) => ({
  id: `q${at}`,
  messages: [{ role: 'user' as const, content: `${at}` }],
}))
const answers = new Map(prompts.map(({ id }, at) => [id, `answer ${at}`]))

/** A model that knows the evaluation's answers, but for some of the prompts. */
function aModel(wrong: readonly number[] = [], ending = '') {
  const asked: number[] = []
  const model: ServedModel = {
    async ask(_, request) {
      const { messages, temperature, max_tokens } = request as {
        messages: { content: string }[]
        temperature: number
        max_tokens: number
      }
      expect([temperature, max_tokens]).toEqual([0, 9])
      const at = Number(messages[0]?.content)
      asked.push(at)
      const content = wrong.includes(at) ? 'something else' : `answer ${at}${ending}`
      return {
        id: 'c',
        object: 'chat.completion',
        created: 1,
        model: 'm',
        choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
      }
    },
    stream: () => Promise.reject(new Error('not asked for')),
  }
  return { model, asked }
}
const ask = (model: ServedModel, changes = {}) =>
  askSealedPrompts(
    { model },
    {
      target: { endpoint: 'e', component: 'c' },
      model: 'iam',
      prompts,
      answers,
      maxTokens: 9,
      signal: AbortSignal.timeout(5_000),
      ...changes,
    },
  )

describe('the smoke test of a release', () => {
  test('asks five prompts spread over the sealed set', async () => {
    const { model, asked } = aModel()
    expect(await ask(model)).toEqual({ asked: 5, agreed: 5, passed: true, differing: [] })
    expect(asked).toEqual([0, 40, 80, 120, 160])
  })

  test('bears one near tie and no more', async () => {
    expect(await ask(aModel([40]).model)).toMatchObject({ passed: true, differing: ['q40'] })
    expect(await ask(aModel([40, 120]).model)).toMatchObject({ agreed: 3, passed: false })
  })

  test('reads the first line, where the evaluation stopped', async () => {
    expect(await ask(aModel([], ' \nand more').model)).toMatchObject({ agreed: 5 })
    expect(await ask(aModel([], ' and more').model)).toMatchObject({ agreed: 0, passed: false })
  })

  test('asks for answers that are there', async () => {
    const few = new Map([['q7', 'answer 7']])
    expect(await ask(aModel().model, { answers: few })).toMatchObject({ asked: 1, passed: true })
    expect(await ask(aModel([7]).model, { answers: few })).toMatchObject({ asked: 1, passed: false })
    await expect(ask(aModel().model, { answers: new Map() })).rejects.toMatchObject({ code: 'not-found' })
  })
})

describe('what it compares with', () => {
  test("is the last evaluation of the version's own run, and of its own model", () => {
    const job = (program: string, name: string) => ({ program, name, image: 'i' })
    const runId = hashOf('run')
    const jobs = [
      job('evaluate', 'first'),
      job('align', 'x'),
      job('evaluate', 'second'),
      job('generate', 'y'),
    ]
    expect(evaluationKey({ runId, jobs })).toBe(`runs/${runId}/second/output/model/answers.jsonl`)
    expect(() => evaluationKey({ runId, jobs: [job('align', 'x')] })).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    )
    const graded = (system: string, id: string) => ({ id, system, answer: `${system} ${id}`, correct: false })
    const own = ownAnswers([
      graded('tuned', 'a'),
      graded('base', 'a'),
      graded('few-shot', 'b'),
      graded('aligned', 'c'),
    ])
    expect([...own]).toEqual([
      ['a', 'tuned a'],
      ['c', 'aligned c'],
    ])
  })

  test('a sealed set that is missing or broken is named', () => {
    expect(() => parseSealedSet(null, 'sealed/x.jsonl')).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    )
    const broken = new TextEncoder().encode(`${JSON.stringify(prompts[0])}\n{"id":1}\n`)
    expect(() => parseSealedSet(broken, 'sealed/x.jsonl')).toThrow(
      expect.objectContaining({ code: 'malformed', seen: 'line 2 of sealed/x.jsonl' }),
    )
  })
})
