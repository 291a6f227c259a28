import { join, resolve } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import type { Command } from 'commander'
import { OpenLedgerError } from '../../domain/errors.ts'
import { importArtifacts } from '../artifacts/import-artifacts.ts'
import { contextOf } from '../context.ts'
import { awsSettings } from '../profile.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')

/** Brings a base model, the training code and its recipe into the artifact bucket. */
export function importModel(program: Command): void {
  program
    .command('model')
    .description('base models of a deployment')
    .command('import <folder>')
    .description('bring a base model, the training code and the recipe into the artifact bucket, by digest')
    .option('--recipe <file>', 'default: the recipe of the profile’s model profile')
    .action(async (folder: string, options: { recipe?: string }, command: Command) => {
      const { profile, show } = contextOf(command)
      if (profile.aws === undefined)
        throw new OpenLedgerError('forbidden', 'Importing needs the operator’s profile', {
          expected: `"aws" in the profile ${profile.name}`,
          seen: 'a profile without it',
        })
      const imported = await importArtifacts(new S3Client(awsSettings(profile)), {
        bucket: profile.aws.artifactsBucket,
        modelFolder: resolve(folder),
        trainingFolder: join(REPOSITORY, 'training'),
        recipeFile: options.recipe ?? join(REPOSITORY, 'training/recipes', `${profile.modelProfile}.json`),
        sets: {},
        onProgress: line => console.error(line),
      })
      show({
        json: imported,
        lines: [
          `base model  ${imported.baseModel}`,
          `code        ${imported.code}`,
          `recipe      ${imported.recipe}`,
        ],
      })
    })
}
