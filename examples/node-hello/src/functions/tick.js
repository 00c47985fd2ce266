const { app } = require('@azure/functions');

// Every minute; its log lines show that exactly one instance fires.
app.timer('tick', {
  schedule: '0 * * * * *',
  handler: async (timer, context) => {
    context.log(`tick, past due: ${timer.isPastDue}`);
  },
});
