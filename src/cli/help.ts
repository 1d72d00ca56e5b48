export const HELP = `Usage: npm run onboard -- [flags]        (or: node dist/main.js onboard [flags])

Takes tenants through the set-up, over the API: UBI, company creation preference, BioTrack login, licenses, first sync.
Whatever is done already is left as it is, so it can be run again at any time: twice is the same as once.

Where
  --base-url URL         the service            (or BIOTRACK_CONNECT_URL; else a local mode that runs here)
  --api-key KEY          an operator's API key  (or BIOTRACK_CONNECT_API_KEY, which other users of the machine cannot see)

One tenant
  --tenant UUID          its id; one is made up and printed if this is absent
  --name TEXT            its name
  --state CODE           such as NM
  --environment WORD     production or training
  --ubi TEXT             the company's UBI, with its leading zeros
  --strategy WORD        one_per_license: each license becomes a company; one_per_vendor: each UBI does
  --include-labs         laboratories become companies too
  --username TEXT        the BioTrack user
  --password TEXT        its password, or --password-file FILE, or BIOTRACK_CONNECT_PASSWORD; else you are asked
  --description TEXT     what to call the login (BioTrack login)
  --license NUMBER       a license to create; may be repeated (all that the state lists under the UBI)

Many tenants
  --file FILE            a JSON file, see below
  --concurrency N        how many tenants at a time (4)

How
  --wait-seconds N       how long to wait for the end of a tenant's sync (600)
  --json                 for machines: one JSON object for each tenant, a line each
  --no-progress          no bars and no progress lines
  --help                 this text

Without flags it onboards the demo tenant of the local mode that "npm start" runs.

Examples
  npm run onboard
  npm run onboard -- --name "Second Shop" --strategy one_per_vendor
  npm run onboard -- --file tenants.json --concurrency 8
  npm run onboard -- --base-url https://connect.example.com --name "Example Mesa Farms" --state NM \\
    --environment production --ubi 042517300 --strategy one_per_license --username user@example.com

The file
  {
    "defaults": { "state": "NM", "environment": "production", "strategy": "one_per_license" },
    "tenants": [
      {
        "tenant_id": "0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11",
        "name": "Example Mesa Farms",
        "ubi": "042517300",
        "credential": { "description": "Office", "username": "demo@example.com", "password": "demo-password" },
        "licenses": "all"
      }
    ]
  }
  A tenant needs tenant_id, name, state, environment, ubi, strategy and a credential with username and password; all but
  tenant_id and name may stand in defaults. licenses is "all" (unless told) or a list of license numbers; include_labs is
  true or false. A base_url may stand beside defaults. A password that stands nowhere is taken from --password-file or
  BIOTRACK_CONNECT_PASSWORD. Nothing is begun while the file has a mistake.

Exit code: 0 if every tenant is done, 1 if one failed, 2 if the command was called wrongly.`;
