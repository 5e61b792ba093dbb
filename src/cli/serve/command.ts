import { Command } from 'commander';
import { FolderFiles } from '../../node/files.ts';
import { formatEndpoint, type IpAddress } from '../../wire/address.ts';
import { failureOf } from '../failure.ts';
import { parsePort } from '../host/arguments.ts';
import { addHostOptions, type HostOptions } from '../host/options.ts';
import { withHost } from '../host/with-host.ts';

interface ServeOptions extends HostOptions {
  readonly port: number;
  readonly log: boolean;
}

const HTTP_PORT = 80;

/** `ethertype serve`. */
export function serveCommand(): Command {
  const command = new Command('serve')
    .summary('serve a folder by HTTP on a real network')
    .description(
      'Serves the files of a folder by HTTP/1.1 to the kernel on the other side of a TAP device, and to whoever can ' +
        'reach it: ranges, keep-alive, conditional requests. One line on standard output for each request.',
    )
    .argument('<folder>', 'what to serve')
    .option('-p, --port <number>', 'the port to listen on', parsePort, HTTP_PORT)
    .option('--no-log', 'no line for each request');
  return addHostOptions(command)
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Examples:
  $ sudo npx ethertype serve . &
  $ curl http://10.65.0.2/
  $ curl -g http://[fd65::2]/
  $ sudo npx ethertype serve . --tap tap1 --address 10.66.0.2/24 --port 8080 --trace strace,tcp,packets

Exit status: 0 after Ctrl-C, 1 when it cannot serve, 2 for a wrong command line.`,
    )
    .action(serve);
}

async function serve(folder: string, options: ServeOptions): Promise<void> {
  const files = openFolder(folder);
  const { port } = options;
  const reach = (address: IpAddress): string => {
    const endpoint = formatEndpoint(address, port);
    return `http://${port === HTTP_PORT ? endpoint.slice(0, -`:${port}`.length) : endpoint}/`;
  };
  await withHost(options, { name: 'serve', reach, lastWords: true }, async host => {
    const { serveFolder } = await import('./serve.ts');
    await serveFolder(host, files, options);
  });
}

function openFolder(folder: string): FolderFiles {
  try {
    return new FolderFiles(folder);
  } catch (error) {
    throw failureOf(`cannot serve ${folder}`, error);
  }
}
