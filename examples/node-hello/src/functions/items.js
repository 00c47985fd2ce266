const { app } = require('@azure/functions');

// GET /api/items/42: the route parameter must be a whole number, so /api/items/abc is 404.
app.http('item', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'items/{id:int}',
  handler: async (request) => ({ jsonBody: { id: Number(request.params.id), name: `item ${request.params.id}` } }),
});

// POST /api/orders with {"items":[{"price":2.5,"count":4}]}.
app.http('order', {
  methods: ['POST'],
  authLevel: 'anonymous',
  route: 'orders',
  handler: async (request) => {
    let order;
    try {
      order = await request.json();
    } catch {
      return { status: 400, jsonBody: { error: 'the body is not JSON' } };
    }
    const total = (order.items ?? []).reduce((sum, item) => sum + item.price * item.count, 0);
    return { status: 201, jsonBody: { total } };
  },
});
