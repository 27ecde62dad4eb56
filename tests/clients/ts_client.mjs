// Drives npm `@modelcontextprotocol/client`: one JSON order as the argument, one JSON answer on stdout.
//
// Order and answer as in python_client.py.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url); // finds packages by NODE_PATH, which `import` does not
const { Client, StreamableHTTPClientTransport } = require('@modelcontextprotocol/client');
const { StdioClientTransport } = require('@modelcontextprotocol/client/stdio');

function transport(order) {
  if (order.command) {
    const [command, ...args] = order.command;
    return new StdioClientTransport({ command, args, env: order.env });
  }
  const headers = { Authorization: `Bearer ${order.token}` };
  return new StreamableHTTPClientTransport(new URL(order.endpoint), { requestInit: { headers } });
}

function mode(era) {
  return era === '2026-07-28' ? { pin: era } : era;
}

async function answer(order) {
  const options = { versionNegotiation: { mode: mode(order.era ?? 'auto') } };
  const client = new Client({ name: 'portcullis-tests', version: '1' }, options);
  await client.connect(transport(order));
  try {
    const version = client.getNegotiatedProtocolVersion?.() ?? null;
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
