export const HELP = `Usage: npm run onboard -- [flags]        (or: node dist/main.js onboard [flags])

Sets up tenants through the API: tenant, UBI, company creation preference, BioTrack login, licenses and first sync.
Steps that are already done are skipped, so the command can be repeated at any time.

Service
  --base-url URL         base URL (or BIOTRACK_CONNECT_URL; default: the local mode running on this machine)
  --api-key KEY          operator API key (or BIOTRACK_CONNECT_API_KEY, which other users of this machine cannot see)

One tenant
  --tenant UUID          ID (default: a new ID, which is printed)
  --name TEXT            name
  --state CODE           state, for example NM
  --environment NAME     production or training
  --ubi TEXT             the company's UBI, with leading zeros
  --strategy NAME        one_per_license: one company per license; one_per_vendor: one company per UBI
  --include-labs         create companies for laboratories too
  --username TEXT        BioTrack username
  --password TEXT        BioTrack password (or --password-file FILE or BIOTRACK_CONNECT_PASSWORD; default: prompt)
  --login-license NUMBER license number that BioTrack requires at login in some states (Florida)
  --description TEXT     description of the login (default: BioTrack login)
  --license NUMBER       license to create; can be repeated (default: all licenses that the state lists for the UBI)

Many tenants
  --file FILE            JSON file with tenants, see below
  --concurrency N        number of tenants at a time, 1 to 64 (default: 4)

Output and waiting
  --wait-seconds N       maximum time to wait for a tenant's sync (default: 600)
  --json                 print one JSON object per tenant, each on its own line
  --no-progress          show no progress
  --help                 show this help

Without flags, the command sets up the demo tenant of the local mode that "npm start" runs.

Examples
  npm run onboard
  npm run onboard -- --name "Second Shop" --strategy one_per_vendor
  npm run onboard -- --file tenants.json --concurrency 8
  npm run onboard -- --base-url https://connect.example.com --name "Example Mesa Farms" --state NM \\
    --environment production --ubi 042517300 --strategy one_per_license --username user@example.com

File format
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

  Required for each tenant: tenant_id, name, state, environment, ubi, strategy, credential.username and
  credential.password. Optional: credential.description, credential.license_number (as --login-license), include_labs
  (true or false) and licenses ("all", the default, or an array of license numbers). All fields except tenant_id and name can be set in "defaults". The file can also
  contain "base_url". A missing password is read from --password-file or BIOTRACK_CONNECT_PASSWORD. The file is
  validated completely before anything is changed.

Exit code: 0 if all tenants were set up, 1 if one failed, 2 for invalid flags or an invalid file.`;
