import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const folder = fileURLToPath(new URL('../../verify/', import.meta.url))

describe('the offline verifier', () => {
  it('imports nothing but its own files and @noble', () => {
    for (const file of readdirSync(folder).filter(name => name.endsWith('.ts'))) {
      const imports = [...readFileSync(folder + file, 'utf8').matchAll(/from '([^']+)'/g)].map(
        match => match[1],
      )
      for (const from of imports)
        expect(`${file}: ${from}`).toMatch(/: (\.\/[a-z-]+\.ts|@noble\/(hashes|curves)\/\w+\.js)$/)
    }
  })

  it('bundles for the browser, without anything of Node', async () => {
    const made = await build({
      entryPoints: [`${folder}index.ts`],
      bundle: true,
      platform: 'browser',
      format: 'esm',
      minify: true,
      write: false,
      metafile: true,
    })
    expect(made.warnings).toEqual([])
    const inputs = Object.keys(made.metafile.inputs)
    expect(inputs.filter(path => !/(^|\/)(verify|@noble\/(curves|hashes))\//.test(path))).toEqual([])
    // A page that checks a proof should not cost more than a picture.
    expect(made.outputFiles[0]!.contents.length).toBeLessThan(120_000)
  })
})
