import { addedTo, inTurns, spreadOf } from '../../bench/measure.ts'
import { tableOf } from '../../bench/table.ts'

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1)

describe('what a bench reports', () => {
  test('the median and, by nearest rank, the 5th and 95th percentile, whatever the order', () => {
    expect(spreadOf(upTo(100).reverse())).toEqual({ median: 50.5, low: 5, high: 95, count: 100 })
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3, count: 3 })
    expect(() => spreadOf([])).toThrow('Nothing was measured')
  })

  test('what is added is compared sample by sample, not as two medians', () => {
    expect(addedTo([11, 25, 36], [10, 20, 30])).toMatchObject({ median: 5, low: 1, high: 6 })
  })

  test('the table names the ratio of the medians', () => {
    const table = tableOf([
      {
        what: 'handler',
        unit: 'per second',
        figure: spreadOf([10]),
        comparison: { what: 'bare', figure: spreadOf([40]) },
      },
    ])
    expect(table.split('\n').at(-1)).toMatch(
      /^\| handler, per second \| 10\.0 \(10\.0 to 10\.0\), n 1 \| bare +\| 40\.0 .* \| 0\.25 × \|$/,
    )
  })
})

test('work is done once an item, never wider than asked', async () => {
  const seen: number[] = []
  let now = 0
  let widest = 0
  await inTurns(upTo(20), 3, async item => {
    widest = Math.max(widest, ++now)
    await new Promise(done => setTimeout(done, 1))
    seen.push(item)
    now--
  })
  expect(widest).toBe(3)
  expect(seen.sort((a, b) => a - b)).toEqual(upTo(20))
})
