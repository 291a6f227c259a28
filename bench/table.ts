import type { Row, Spread } from './measure.ts'

/** `| 41.2 (39.8 to 43.0), n 5 |`: median, 5th to 95th percentile, samples. */
function cellOf({ median, low, high, count }: Spread): string {
  return `${figure(median)} (${figure(low)} to ${figure(high)}), n ${count}`
}

/** Three digits say all that such figures hold. */
function figure(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toFixed(digits)
}

/** How many times the comparison it is; where it is time, what comes on top. */
function ratioOf({ figure: own, comparison, unit, added }: Row): string {
  if (comparison === null) return ''
  const ratio = `${figure(own.median / comparison.figure.median)} ×`
  if (added === undefined) return ratio
  return `${ratio}, added ${figure(added.median)} ${unit} (p95 ${figure(added.high)})`
}

/** The rows as a Markdown table whose columns line up. */
export function tableOf(rows: readonly Row[]): string {
  const cells = [
    ['what', 'figure', 'beside it', 'figure', 'ratio'],
    ...rows.map(row => [
      `${row.what}, ${row.unit}`,
      cellOf(row.figure),
      row.comparison?.what ?? '',
      row.comparison === null ? '' : cellOf(row.comparison.figure),
      ratioOf(row),
    ]),
  ]
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map(row => row[column]!.length)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  return [line(cells[0]!), line(widths.map(width => '-'.repeat(width))), ...cells.slice(1).map(line)].join(
    '\n',
  )
}
