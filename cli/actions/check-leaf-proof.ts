import type { CallOutput } from '../../api/client.ts'
import { OpenLedgerError } from '../../domain/errors.ts'
import { hexToBytes } from '../../domain/protocol/hex.ts'
import { leafHash, verifyInclusion } from '../../domain/protocol/merkle-log.ts'
import {
  parseCheckpoint,
  parseNote,
  parseVerifierKey,
  verifyNote,
} from '../../domain/protocol/signed-note.ts'

/**
 * Checks offline that an entry is in the log: the head is signed by the log's key, and the entry leads to it.
 * @throws OpenLedgerError bad-signature, digest-mismatch
 */
export function checkLeafProof(
  proof: CallOutput<'getSubmissionProof'>,
  logKey: string,
): { size: number; index: number } {
  const note = parseNote(proof.checkpoint)
  if (verifyNote(note, [parseVerifierKey(logKey)]).length === 0) {
    throw new OpenLedgerError('bad-signature', 'The head of the log is not signed by its key', {
      expected: logKey,
    })
  }
  const head = parseCheckpoint(note.text)
  const leaf = leafHash(new TextEncoder().encode(proof.entry))
  if (!verifyInclusion(leaf, proof.index, head.size, proof.proof.map(hexToBytes), head.root)) {
    throw new OpenLedgerError('digest-mismatch', 'The entry does not lead to the signed head', {
      expected: `entry ${proof.index} of ${head.size}`,
      seen: proof.leafHash,
    })
  }
  return { size: head.size, index: proof.index }
}
