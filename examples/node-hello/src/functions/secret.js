const { app } = require('@azure/functions');

// Needs a key: ?code=... or the header x-functions-key.
app.http('secret', {
  methods: ['GET'],
  authLevel: 'function',
  handler: async () => ({ jsonBody: { secret: process.env.SAMPLE_SECRET ?? 'set the app setting SAMPLE_SECRET' } }),
});
