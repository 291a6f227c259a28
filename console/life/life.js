// @ts-check
/** The page looks at the public interface every two seconds and shows what it finds; it can change nothing. */

const EVERY_MS = 2_000
const SVG = 'http://www.w3.org/2000/svg'

/** @param {string} path */
async function read(path) {
  const response = await fetch(path, { headers: { accept: 'application/json' } })
  if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`)
  return response.json()
}

/**
 * An element with text or children. Text is never parsed: titles and reasons are written by strangers.
 * @param {string} tag @param {Record<string, string>} attributes @param {...(Node | string)} children
 */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** @param {string} tag @param {Record<string, string | number>} attributes @param {string} [text] */
function drawn(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value))
  if (text !== undefined) made.textContent = text
  return made
}

/** @param {string} id @param {Node[]} children */
function show(id, children) {
  const place = document.getElementById(id)
  if (place !== null && children.length > 0) place.replaceChildren(...children)
}

/** @param {string} wei */
const open = wei => (BigInt(wei) / 10n ** 18n).toLocaleString('en-US')
/** A sentence of the interface with whole votes in place of wei. @param {string} sentence */
const inVotes = sentence => sentence.replace(/(\d+) wei/g, (_, wei) => open(wei))
/** @param {number} ppm */
const percent = ppm => `${(ppm / 10_000).toFixed(1)} %`
/** @param {string} id */
const short = id => `${id.slice(0, 10)}…`

/** @param {any} proposal */
function voteCard({ document: { title, action }, state, tally, result }) {
  const [yes, no, neither] = [tally.forWei, tally.againstWei, tally.abstainWei].map(BigInt)
  const total = yes + no + neither
  /** @param {bigint} part */
  const share = part => (total === 0n ? 0 : Number((part * 1_000n) / total) / 10)
  const told = `${open(tally.forWei)} for, ${open(tally.againstWei)} against, ${open(tally.abstainWei)} abstain, ${tally.voters} voters`
  const bar = element('div', { class: 'bar', role: 'img', 'aria-label': told })
  for (const [kind, part] of /** @type {[string, bigint][]} */ ([
    ['for', yes],
    ['against', no],
    ['abstain', neither],
  ])) {
    const piece = element('span', { class: kind })
    piece.style.width = `${share(part)}%`
    bar.append(piece)
  }
  return element(
    'article',
    {},
    element('h3', {}, `${title} `, element('span', { class: 'state' }, state)),
    bar,
    element(
      'p',
      { class: 'quiet' },
      `${action.type}: ${told}${tally.estimate && total > 0n ? ' so far' : ''}${result === null ? '' : `; ${inVotes(result.reason)}`}`,
    ),
  )
}

/** @param {string[]} heads @param {(string | number)[][]} rows */
function table(heads, rows) {
  const cell = (/** @type {string} */ tag) => (/** @type {string | number} */ value) =>
    element(tag, typeof value === 'number' ? { class: 'number' } : {}, String(value))
  return element(
    'table',
    {},
    element('thead', {}, element('tr', {}, ...heads.map(cell('th')))),
    element('tbody', {}, ...rows.map(row => element('tr', {}, ...row.map(cell('td'))))),
  )
}

/** @param {any} datanet @param {any[]} submissions */
function datanetCard({ terms, counts }, submissions) {
  return element(
    'article',
    {},
    element('h3', {}, terms.title),
    element(
      'p',
      { class: 'quiet' },
      `${counts.acceptedRecords} records accepted of ${counts.submissions} submissions`,
    ),
    table(
      ['Contributor', 'Decision', 'Accepted', 'Refused, and why'],
      submissions.map(one => [
        short(one.contributor),
        one.state,
        one.acceptedRecords,
        Object.entries(one.refusedRecords)
          .map(([code, count]) => `${count} ${code}`)
          .join(', ') || one.reasons.map((/** @type {any} */ reason) => reason.code).join(', '),
      ]),
    ),
  )
}

/**
 * The training loss as a line; of reinforcement learning the reward, since its loss says nothing.
 * @param {{ step: number, loss: number, reward: number | null }[]} points
 */
function trainingChart(points) {
  const isReward = points.every(point => point.reward !== null)
  const values = points.map(point => (isReward ? Number(point.reward) : point.loss))
  const [width, height, left, bottom] = [600, 180, 48, 24]
  const lastStep = points.at(-1)?.step ?? 1
  const top = Math.max(0, ...values)
  const floor = Math.min(0, ...values)
  const x = (/** @type {number} */ step) => left + (step / lastStep) * (width - left - 8)
  const y = (/** @type {number} */ value) =>
    8 + ((top - value) / Math.max(top - floor, 1e-9)) * (height - bottom - 8)
  const name = isReward ? 'reward' : 'loss'
  const label = `Training ${name}, from ${values[0]?.toFixed(2)} to ${values.at(-1)?.toFixed(2)} at step ${lastStep}`
  const chart = drawn('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label })
  chart.append(
    drawn('line', { class: 'axis', x1: left, y1: height - bottom, x2: width - 8, y2: height - bottom }),
    drawn('line', { class: 'axis', x1: left, y1: 8, x2: left, y2: height - bottom }),
    drawn('text', { x: 0, y: 16 }, top.toFixed(2)),
    drawn('text', { x: 0, y: height - bottom }, floor.toFixed(2)),
    drawn('text', { x: left, y: height - 6 }, name),
    drawn('text', { x: width - 70, y: height - 6 }, `step ${lastStep}`),
    drawn('polyline', {
      class: 'curve',
      points: points.map((point, at) => `${x(point.step)},${y(values[at] ?? 0)}`).join(' '),
    }),
  )
  return chart
}

/** Exact match of each system with its interval. @param {Record<string, { exactMatch: number, low: number, high: number, n: number }>} scores */
function scoreChart(scores) {
  const names = Object.keys(scores)
  const [width, row] = [600, 28]
  const x = (/** @type {number} */ ppm) => 90 + (ppm / 1_000_000) * (width - 160)
  const label = names.map(name => `${name} ${percent(scores[name]?.exactMatch ?? 0)}`).join(', ')
  const chart = drawn('svg', {
    viewBox: `0 0 ${width} ${names.length * row + 8}`,
    role: 'img',
    'aria-label': `Exact match: ${label}`,
  })
  for (const [index, name] of names.entries()) {
    const { exactMatch = 0, low = 0, high = 0 } = scores[name] ?? {}
    const y = index * row + 18
    chart.append(
      drawn('text', { x: 0, y: y + 4 }, name),
      drawn('line', { class: 'whisker', x1: x(low), y1: y, x2: x(high), y2: y }),
      drawn('circle', { class: 'dot', cx: x(exactMatch), cy: y, r: 5 }),
      drawn('text', { x: x(high) + 8, y: y + 4 }, percent(exactMatch)),
    )
  }
  return chart
}

/** @param {any} run */
function runCard({ kind, state, steps, metrics, output, failure }) {
  const card = element(
    'article',
    {},
    element('h3', {}, `${kind} `, element('span', { class: 'state' }, state)),
  )
  card.append(
    element(
      'ol',
      { class: 'steps' },
      ...steps.map((/** @type {any} */ step) => element('li', { class: step.state }, step.name)),
    ),
  )
  if (metrics.length > 1) card.append(trainingChart(metrics))
  if (output?.scores) card.append(scoreChart(output.scores))
  if (output?.reason) card.append(element('p', { class: 'quiet' }, output.reason))
  if (failure) card.append(element('p', { class: 'failed' }, failure.error))
  return card
}

/** @param {any} round */
function roundCard({ purpose, state, tasks, judged, scores, agreementPpm }) {
  const card = element(
    'article',
    {},
    element('h3', {}, `${purpose} `, element('span', { class: 'state' }, state)),
    element(
      'p',
      { class: 'quiet' },
      `${judged} of ${tasks} tasks judged${agreementPpm === null ? '' : `, agreement ${(agreementPpm / 1e6).toFixed(2)}`}`,
    ),
  )
  if (scores !== null) {
    card.append(
      table(
        ['Validator', 'Standing', 'Weight', 'Right on known answers'],
        scores.map((/** @type {any} */ one) => [
          short(one.validator),
          one.standing,
          percent(one.weightPpm),
          one.gold === null ? '' : percent(one.gold.valuePpm),
        ]),
      ),
    )
  }
  return card
}

async function look() {
  const [genesis, proposals, datanets, runs, rounds, models] = await Promise.all([
    read('/v1/genesis'),
    read('/v1/proposals'),
    read('/v1/datanets'),
    read('/v1/runs'),
    read('/v1/rounds'),
    read('/v1/models'),
  ])
  show('stage', [
    document.createTextNode(
      genesis.rehearsal
        ? `Stage ${genesis.stage}, a rehearsal: the people are scripted, the steps are real.`
        : `Stage ${genesis.stage}`,
    ),
  ])
  show('votes', proposals.items.map(voteCard))
  const contributions = await Promise.all(
    datanets.items.map(async (/** @type {any} */ datanet) =>
      datanetCard(datanet, (await read(`/v1/datanets/${datanet.id}/submissions`)).items),
    ),
  )
  show('uploads', contributions)
  show(
    'runs',
    await Promise.all(
      runs.items.map(async (/** @type {any} */ run) => runCard(await read(`/v1/runs/${run.id}`))),
    ),
  )
  show('judging', rounds.items.map(roundCard))
  show(
    'served',
    models.data.map((/** @type {any} */ model) =>
      element('p', {}, element('strong', {}, model.id), ` answers with version ${short(model.version)}`),
    ),
  )
}

async function keepLooking() {
  const updated = document.getElementById('updated')
  try {
    await look()
    if (updated !== null) updated.textContent = `Looked at ${new Date().toLocaleTimeString()}`
  } catch (error) {
    if (updated !== null)
      updated.textContent = `The deployment does not answer (${error instanceof Error ? error.message : error}); looking again.`
  }
  setTimeout(keepLooking, EVERY_MS)
}

keepLooking()
