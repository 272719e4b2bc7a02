// The operations in examples/, in the order of their file names. The first comment line of each is its title, the rest
// of that comment what it shows; a .json file of the same name holds its variables. Go reads the same files and runs
// every one of them against a server.

export interface Example {
  title: string;
  about: string;
  query: string;
  variables: string;
}

const queries = import.meta.glob<string>('./examples/*.graphql', { eager: true, query: '?raw', import: 'default' });
const variables = import.meta.glob<string>('./examples/*.json', { eager: true, query: '?raw', import: 'default' });

export const examples: Example[] = Object.keys(queries)
  .sort()
  .map(path => {
    const query = queries[path]!.trimEnd();
    const [title = '', ...about] = comment(query);
    return {
      title,
      about: about.join(' '),
      query,
      variables: (variables[path.replace(/graphql$/, 'json')] ?? '').trimEnd(),
    };
  });

function comment(query: string): string[] {
  const lines = query.split('\n');
  const end = lines.findIndex(line => !line.startsWith('#'));
  return lines.slice(0, end).map(line => line.slice(1).trim());
}
