// Handlers log each request; here only failures are worth a line. POWERTOOLS_LOG_LEVEL=INFO brings it back.
process.env.POWERTOOLS_LOG_LEVEL ??= 'SILENT'
