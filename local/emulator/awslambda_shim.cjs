// The `awslambda` global of Lambda's Node.js runtime, which MiniStack's worker lacks; loaded by
// NODE_OPTIONS=--require. The answer is collected and returned in one piece: as the proxy response where API
// Gateway asked, else in the framing of a streamed Lambda answer (JSON prelude, eight NULs, body).
'use strict'
const { isUtf8 } = require('node:buffer')
const { Writable } = require('node:stream')
const { finished } = require('node:stream/promises')

const PRELUDE_END = '\0'.repeat(8)

class ResponseStream extends Writable {
  #chunks = []
  metadata = undefined
  #contentType = 'application/octet-stream'

  setContentType(contentType) {
    this.#contentType = contentType
  }

  _write(chunk, _encoding, done) {
    this.#chunks.push(chunk)
    done()
  }

  answer(askedByApiGateway) {
    const body = Buffer.concat(this.#chunks)
    const metadata = this.metadata ?? { statusCode: 200, headers: { 'content-type': this.#contentType } }
    if (!askedByApiGateway) return `${JSON.stringify(metadata)}${PRELUDE_END}${body.toString('utf8')}`
    return isUtf8(body)
      ? { ...metadata, body: body.toString('utf8') }
      : { ...metadata, body: body.toString('base64'), isBase64Encoded: true }
  }
}

if (globalThis.awslambda === undefined) {
  globalThis.awslambda = {
    streamifyResponse: handler => async (event, context) => {
      const stream = new ResponseStream()
      const ended = finished(stream)
      ended.catch(() => {}) // awaited below, after the handler
      await handler(event, stream, context)
      if (!stream.writableEnded) stream.end()
      await ended
      return stream.answer(event?.requestContext?.apiId !== undefined)
    },
    HttpResponseStream: {
      from(stream, metadata) {
        stream.metadata = metadata
        return stream
      },
    },
  }
}
