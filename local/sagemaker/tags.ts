/** Tags of whatever has an ARN, in one record. */
import type { Tag } from '@aws-sdk/client-sagemaker'
import { validationException } from './aws-error.ts'
import { openRecordFolder } from './record-folder.ts'

/** AWS's limit for one resource. */
const MAX_TAGS = 50

export type Tags = {
  /** Adds or overwrites; returns all tags of the resource. */
  add(arn: string, tags: readonly Tag[]): Tag[]
  remove(arn: string, keys: readonly string[]): void
  of(arn: string): Tag[]
  forget(arn: string): void
}

/** Opens the tags of a folder. */
export function openTags(folder: string): Tags {
  const records = openRecordFolder<Record<string, Tag[]>>(folder)
  const all = records.get('tags') ?? {}
  function set(arn: string, tags: Tag[]): void {
    if (tags.length > 0) all[arn] = tags
    else delete all[arn]
    records.put('tags', all)
  }
  return {
    add(arn, added) {
      const kept = (all[arn] ?? []).filter(tag => !added.some(other => other.Key === tag.Key))
      const tags = [...kept, ...added]
      if (tags.length > MAX_TAGS) throw validationException(`A resource can have at most ${MAX_TAGS} tags`)
      set(arn, tags)
      return tags
    },
    remove(arn, keys) {
      set(
        arn,
        (all[arn] ?? []).filter(tag => !keys.includes(tag.Key!)),
      )
    },
    of: arn => all[arn] ?? [],
    forget: arn => set(arn, []),
  }
}
