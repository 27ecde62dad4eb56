// Drives npm `@modelcontextprotocol/sdk`: one JSON order as the argument, one JSON answer on stdout.
//
// Order and answer as in python_client.py; this client knows only the legacy era.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url); // finds packages by NODE_PATH, which `import` does not
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js');
const { StreamableHTTPClientTransport } = require('@modelcontextprotocol/sdk/client/streamableHttp.js');

function transport(order) {
  if (order.command) {
    const [command, ...args] = order.command;
    return new StdioClientTransport({ command, args, env: order.env });
  }
  const headers = { Authorization: `Bearer ${order.token}` };
  return new StreamableHTTPClientTransport(new URL(order.endpoint), { requestInit: { headers } });
}

async function answer(order) {
  const client = new Client({ name: 'portcullis-tests', version: '1' });
  const wire = transport(order);
  await client.connect(wire);
  try {
    const version = wire.protocolVersion ?? null;
    if (order.do === 'list') {
      const { tools } = await client.listTools();
      return { version, tools: tools.map((tool) => tool.name) };
    }
    const result = await client.callTool({ name: order.tool, arguments: order.arguments });
    return { version, content: result.content, isError: result.isError === true };
  } finally {
    await client.close();
  }
}

const said = await answer(JSON.parse(process.argv[2])).catch((error) => ({ error: String(error) }));
console.log(JSON.stringify(said));
process.exit(0);
