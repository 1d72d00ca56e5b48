-- The schema after all migrations, as read from the catalog by `npm run derive`. For review only; do not run it. Omits the
-- owner's privileges, the migrator's tables and the schema of the queue.

create role biotrack_app nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
create role biotrack_operator nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
create role biotrack_service nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
grant biotrack_app to biotrack_service;
grant biotrack_operator to biotrack_service;
grant usage on schema public to biotrack_app;
grant usage on schema public to biotrack_operator;
grant usage on schema public to biotrack_service;
grant usage on schema public to public;

create table api_keys (
  id uuid not null,
  description text not null,
  role text not null,
  tenant_id uuid,
  secret_hash bytea not null,
  inserted_datetime timestamp with time zone not null default now(),
  expires_datetime timestamp with time zone,
  last_used_datetime timestamp with time zone,
  constraint api_keys_pkey PRIMARY KEY (id),
  constraint api_keys_secret_hash_key UNIQUE (secret_hash),
  constraint api_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE,
  constraint api_keys_check CHECK ((role = 'operator'::text) = (tenant_id IS NULL)),
  constraint api_keys_role_check CHECK (role = ANY (ARRAY['operator'::text, 'admin'::text]))
);
grant delete, insert, select on api_keys to biotrack_operator;
grant update (expires_datetime) on api_keys to biotrack_operator;
grant update (last_used_datetime) on api_keys to biotrack_operator;

create table audit (
  tenant_id uuid not null,
  id bigint not null generated always as identity,
  operation_id text not null,
  actor text not null,
  request_id text not null,
  object text not null,
  changed text[] not null,
  inserted_datetime timestamp with time zone not null default now(),
  constraint audit_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX audit_inserted ON audit USING btree (inserted_datetime);
alter table audit enable row level security;
alter table audit force row level security;
create policy operator_deletes_old on audit for delete to biotrack_operator
  using (( SELECT is_operator() AS is_operator) AND inserted_datetime < (now() - '30 days'::interval));
create policy operator_reads on audit for select to biotrack_operator
  using (( SELECT is_operator() AS is_operator));
create policy tenant_isolation on audit to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant insert, select on audit to biotrack_app;
grant delete, select on audit to biotrack_operator;
grant update (actor) on audit to biotrack_app;
grant update (object) on audit to biotrack_app;

create table changes (
  tenant_id uuid not null,
  seq bigint not null,
  id uuid not null default gen_random_uuid(),
  kind text not null,
  company_id uuid,
  license_id uuid,
  before jsonb,
  after jsonb,
  actor text not null,
  run_id uuid,
  inserted_datetime timestamp with time zone not null default now(),
  reason text,
  from_company_id uuid,
  constraint changes_pkey PRIMARY KEY (tenant_id, seq),
  constraint changes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE
);
CREATE INDEX changes_company ON changes USING btree (tenant_id, company_id, seq);
CREATE INDEX changes_from_company ON changes USING btree (tenant_id, from_company_id, seq) WHERE from_company_id IS NOT NULL;
CREATE INDEX changes_license ON changes USING btree (tenant_id, license_id, seq) WHERE license_id IS NOT NULL;
alter table changes enable row level security;
alter table changes force row level security;
create policy only_old on changes as restrictive for delete to biotrack_app
  using (inserted_datetime < (now() - '30 days'::interval));
create policy tenant_isolation on changes to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select on changes to biotrack_app;
grant update (actor) on changes to biotrack_app;

create table companies (
  tenant_id uuid not null,
  id uuid not null,
  origin text not null,
  source_name text,
  edited_name text,
  display_name text not null,
  name_group text not null,
  legal_business_name text,
  relationship_type text,
  custom_data jsonb,
  ubi text,
  ubi_key text,
  search_text text not null,
  legal_search_text text,
  is_own_company boolean not null,
  archived_datetime timestamp with time zone,
  superseded_by uuid,
  created_reason text not null,
  created_actor text not null,
  created_run_id uuid,
  version integer not null default 1,
  inserted_datetime timestamp with time zone not null default now(),
  updated_datetime timestamp with time zone not null default clock_timestamp(),
  constraint companies_pkey PRIMARY KEY (tenant_id, id),
  constraint companies_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE,
  constraint companies_tenant_id_superseded_by_fkey FOREIGN KEY (tenant_id, superseded_by) REFERENCES companies(tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
  constraint companies_check CHECK (edited_name IS NOT NULL OR source_name IS NOT NULL),
  constraint companies_check1 CHECK (superseded_by IS NULL OR archived_datetime IS NOT NULL),
  constraint companies_origin_check CHECK (origin = ANY (ARRAY['biotrack'::text, 'manual'::text]))
);
CREATE INDEX companies_name_group ON companies USING btree (tenant_id, "left"(name_group, 200));
CREATE INDEX companies_superseded_by ON companies USING btree (tenant_id, superseded_by) WHERE superseded_by IS NOT NULL;
CREATE TRIGGER move_inputs_revision AFTER INSERT OR DELETE OR UPDATE ON companies FOR EACH STATEMENT EXECUTE FUNCTION move_inputs_revision();
CREATE TRIGGER move_revision AFTER INSERT OR DELETE OR UPDATE ON companies FOR EACH STATEMENT EXECUTE FUNCTION move_revision();
alter table companies enable row level security;
alter table companies force row level security;
create policy tenant_isolation on companies to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on companies to biotrack_app;

create table company_licenses (
  tenant_id uuid not null,
  id uuid not null,
  company_id uuid not null,
  own_company_id uuid,
  license_key text not null,
  license_number text not null,
  ubi text,
  ubi_key text,
  naming_ubi_key text,
  name text,
  license_type text,
  license_type_raw text,
  activities text[] not null,
  address_line1 text,
  address_line2 text,
  city text,
  address_state text,
  zip text,
  search_text text not null,
  is_lab boolean not null,
  active boolean not null,
  missing_since_datetime timestamp with time zone,
  transaction_id_original text,
  content_hash text not null,
  leaflink_customer_id text,
  inserted_datetime timestamp with time zone not null default now(),
  updated_datetime timestamp with time zone not null default now(),
  named_by_company_id uuid,
  constraint company_licenses_pkey PRIMARY KEY (tenant_id, id),
  constraint company_licenses_tenant_id_license_key_key UNIQUE (tenant_id, license_key),
  constraint company_licenses_tenant_id_own_company_id_key UNIQUE (tenant_id, own_company_id),
  constraint company_licenses_tenant_id_company_id_fkey FOREIGN KEY (tenant_id, company_id) REFERENCES companies(tenant_id, id) ON DELETE CASCADE,
  constraint company_licenses_tenant_id_named_by_company_id_fkey FOREIGN KEY (tenant_id, named_by_company_id) REFERENCES companies(tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
  constraint company_licenses_tenant_id_own_company_id_fkey FOREIGN KEY (tenant_id, own_company_id) REFERENCES companies(tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX company_licenses_company ON company_licenses USING btree (tenant_id, company_id);
CREATE UNIQUE INDEX company_licenses_leaflink_customer ON company_licenses USING btree (tenant_id, leaflink_customer_id) WHERE leaflink_customer_id IS NOT NULL;
CREATE INDEX company_licenses_named_by ON company_licenses USING btree (tenant_id, named_by_company_id) WHERE named_by_company_id IS NOT NULL;
CREATE INDEX company_licenses_ubi ON company_licenses USING btree (tenant_id, ubi_key);
CREATE TRIGGER move_inputs_revision AFTER INSERT OR DELETE OR UPDATE ON company_licenses FOR EACH STATEMENT EXECUTE FUNCTION move_inputs_revision();
CREATE TRIGGER move_revision AFTER INSERT OR DELETE OR UPDATE ON company_licenses FOR EACH STATEMENT EXECUTE FUNCTION move_revision();
alter table company_licenses enable row level security;
alter table company_licenses force row level security;
create policy tenant_isolation on company_licenses to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on company_licenses to biotrack_app;

create table conflicts (
  tenant_id uuid not null,
  id uuid not null,
  ubi_key text not null,
  ubi text not null,
  company_ids uuid[] not null,
  status text not null,
  decision text,
  decided_company_id uuid,
  decided_company_ids uuid[],
  decided_by text,
  decided_datetime timestamp with time zone,
  run_id uuid,
  version integer not null default 1,
  inserted_datetime timestamp with time zone not null default now(),
  updated_datetime timestamp with time zone not null default now(),
  constraint conflicts_pkey PRIMARY KEY (tenant_id, id),
  constraint conflicts_tenant_id_ubi_key_key UNIQUE (tenant_id, ubi_key),
  constraint conflicts_tenant_id_decided_company_id_fkey FOREIGN KEY (tenant_id, decided_company_id) REFERENCES companies(tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
  constraint conflicts_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE,
  constraint conflicts_check CHECK ((decision = 'merge'::text) = (decided_company_id IS NOT NULL)),
  constraint conflicts_decision_check CHECK (decision = ANY (ARRAY['merge'::text, 'keep_apart'::text])),
  constraint conflicts_status_check CHECK (status = ANY (ARRAY['open'::text, 'resolved'::text, 'closed'::text]))
);
CREATE TRIGGER move_inputs_revision AFTER UPDATE OF decision, decided_company_id, decided_company_ids ON conflicts FOR EACH STATEMENT EXECUTE FUNCTION move_inputs_revision();
CREATE TRIGGER move_revision AFTER INSERT OR DELETE OR UPDATE ON conflicts FOR EACH STATEMENT EXECUTE FUNCTION move_revision();
alter table conflicts enable row level security;
alter table conflicts force row level security;
create policy tenant_isolation on conflicts to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on conflicts to biotrack_app;

create table creation_preferences (
  tenant_id uuid not null,
  strategy text not null,
  include_labs boolean not null,
  version integer not null default 1,
  inserted_datetime timestamp with time zone not null default now(),
  updated_datetime timestamp with time zone not null default now(),
  constraint creation_preferences_pkey PRIMARY KEY (tenant_id),
  constraint creation_preferences_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE,
  constraint creation_preferences_strategy_check CHECK (strategy = ANY (ARRAY['one_per_license'::text, 'one_per_vendor'::text]))
);
CREATE TRIGGER move_inputs_revision AFTER INSERT OR DELETE ON creation_preferences FOR EACH ROW EXECUTE FUNCTION move_inputs_revision();
CREATE TRIGGER move_inputs_revision_changed AFTER UPDATE ON creation_preferences FOR EACH ROW WHEN (old.strategy IS DISTINCT FROM new.strategy OR old.include_labs IS DISTINCT FROM new.include_labs) EXECUTE FUNCTION move_inputs_revision();
alter table creation_preferences enable row level security;
alter table creation_preferences force row level security;
create policy tenant_isolation on creation_preferences to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on creation_preferences to biotrack_app;

create table credentials (
  tenant_id uuid not null,
  id uuid not null,
  owner text not null,
  owner_user_id text,
  description text not null,
  username text not null,
  username_key text not null,
  license_number text,
  sealed_password bytea not null,
  secret_version integer not null default 1,
  status text not null,
  missing_privilege text,
  refused_text text,
  status_before_refusal text,
  checked_datetime timestamp with time zone,
  last_used_datetime timestamp with time zone,
  version integer not null default 1,
  inserted_datetime timestamp with time zone not null default now(),
  updated_datetime timestamp with time zone not null default now(),
  refused_ubi_keys text[] not null default '{}'::text[],
  constraint credentials_pkey PRIMARY KEY (tenant_id, id),
  constraint credentials_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE,
  constraint credentials_check CHECK ((owner = 'user'::text) = (owner_user_id IS NOT NULL)),
  constraint credentials_owner_check CHECK (owner = ANY (ARRAY['company'::text, 'user'::text])),
  constraint credentials_status_check CHECK (status = ANY (ARRAY['unverified'::text, 'valid'::text, 'rejected'::text, 'refused'::text, 'ubi_rejected'::text, 'privilege_missing'::text]))
);
CREATE UNIQUE INDEX credentials_description ON credentials USING btree (tenant_id, owner, COALESCE(owner_user_id, ''::text), description);
CREATE UNIQUE INDEX credentials_username ON credentials USING btree (tenant_id, owner, COALESCE(owner_user_id, ''::text), username_key);
alter table credentials enable row level security;
alter table credentials force row level security;
create policy operator_reads on credentials for select to biotrack_operator
  using (( SELECT is_operator() AS is_operator));
create policy tenant_isolation on credentials to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on credentials to biotrack_app;
grant select (checked_datetime) on credentials to biotrack_operator;
grant select (id) on credentials to biotrack_operator;
grant select (last_used_datetime) on credentials to biotrack_operator;
grant select (owner) on credentials to biotrack_operator;
grant select (status) on credentials to biotrack_operator;
grant select (tenant_id) on credentials to biotrack_operator;

create table directories (
  directory_id integer not null generated always as identity,
  state text not null,
  environment text not null,
  version bigint not null default 0,
  fetched_rows integer not null default 0,
  duplicate_rows integer not null default 0,
  skipped_rows integer not null default 0,
  skips jsonb not null default '[]'::jsonb,
  warnings jsonb not null default '[]'::jsonb,
  illegible_vendors text[] not null default '{}'::text[],
  illegible_labs text[] not null default '{}'::text[],
  checksum text,
  refreshed_datetime timestamp with time zone,
  fully_read_datetime timestamp with time zone,
  labs_refreshed_datetime timestamp with time zone,
  request_number bigint not null default 0,
  compared_number bigint not null default 0,
  refused_digest text,
  refused_datetime timestamp with time zone,
  refused_removals jsonb,
  refused_keys text[] not null default '{}'::text[],
  accepted_digest text,
  accepted_versions bigint[] not null default '{}'::bigint[],
  fingerprint text,
  compared_datetime timestamp with time zone,
  constraint directories_pkey PRIMARY KEY (directory_id),
  constraint directories_state_environment_key UNIQUE (state, environment),
  constraint directories_environment_check CHECK (environment = ANY (ARRAY['production'::text, 'training'::text]))
);
grant select on directories to biotrack_app;
grant insert, select, update on directories to biotrack_operator;
grant update (version) on directories to biotrack_app;

create table directory_leases (
  state text not null,
  environment text not null,
  holder uuid not null,
  until_datetime timestamp with time zone not null,
  constraint directory_leases_pkey PRIMARY KEY (state, environment)
);
grant delete, insert, select, update on directory_leases to biotrack_operator;

create table directory_license_owners (
  directory_id integer not null,
  license_key text not null,
  until_version bigint not null,
  ubi text,
  ubi_key text,
  until_datetime timestamp with time zone not null default now(),
  constraint directory_license_owners_pkey PRIMARY KEY (directory_id, license_key, until_version),
  constraint directory_license_owners_directory_id_fkey FOREIGN KEY (directory_id) REFERENCES directories(directory_id)
);
grant select on directory_license_owners to biotrack_app;
grant insert, select on directory_license_owners to biotrack_operator;

create table directory_licenses (
  directory_id integer not null,
  license_key text not null,
  license_number text not null,
  ubi text,
  ubi_key text,
  name text,
  license_type text,
  license_type_raw text,
  activities text[] not null,
  address_line1 text,
  address_line2 text,
  city text,
  address_state text,
  zip text,
  is_deleted boolean not null,
  is_lab boolean not null,
  transaction_id_original text,
  content_hash text not null,
  missing_since_datetime timestamp with time zone,
  changed_version bigint not null,
  known_ubi text,
  known_ubi_key text,
  constraint directory_licenses_pkey PRIMARY KEY (directory_id, license_key),
  constraint directory_licenses_directory_id_fkey FOREIGN KEY (directory_id) REFERENCES directories(directory_id)
);
CREATE INDEX directory_licenses_changed ON directory_licenses USING btree (directory_id, changed_version);
CREATE INDEX directory_licenses_ubi ON directory_licenses USING btree (directory_id, ubi_key);
grant select on directory_licenses to biotrack_app;
grant insert, select, update on directory_licenses to biotrack_operator;

create table event_tickets (
  tenant_id uuid not null,
  ticket_hash bytea not null,
  run_id uuid not null,
  principal jsonb,
  expires_datetime timestamp with time zone not null,
  constraint event_tickets_pkey PRIMARY KEY (tenant_id, ticket_hash),
  constraint event_tickets_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE,
  constraint event_tickets_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES sync_runs(tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX event_tickets_expiry ON event_tickets USING btree (tenant_id, expires_datetime);
CREATE INDEX event_tickets_run ON event_tickets USING btree (tenant_id, run_id);
alter table event_tickets enable row level security;
alter table event_tickets force row level security;
create policy tenant_isolation on event_tickets to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on event_tickets to biotrack_app;

create table idempotency_keys (
  tenant_id uuid not null,
  actor text not null,
  key text not null,
  request_mac bytea not null,
  attempt_id uuid not null,
  leased_until_datetime timestamp with time zone not null,
  has_effect boolean not null default false,
  sealed_answer bytea,
  inserted_datetime timestamp with time zone not null default now(),
  constraint idempotency_keys_pkey PRIMARY KEY (tenant_id, actor, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys USING btree (tenant_id, inserted_datetime);
CREATE INDEX idempotency_keys_old ON idempotency_keys USING btree (inserted_datetime);
alter table idempotency_keys enable row level security;
alter table idempotency_keys force row level security;
create policy operator_finds_old on idempotency_keys for select to biotrack_operator
  using (inserted_datetime < (now() - '1 day'::interval));
create policy operator_keeps_own on idempotency_keys to biotrack_operator
  using (tenant_id = '00000000-0000-0000-0000-000000000000'::uuid)
  with check (tenant_id = '00000000-0000-0000-0000-000000000000'::uuid);
create policy tenant_isolation on idempotency_keys to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on idempotency_keys to biotrack_app;
grant delete, insert, select, update on idempotency_keys to biotrack_operator;

create table licenses (
  tenant_id uuid not null,
  id uuid not null,
  license_key text not null,
  license_number text not null,
  name text,
  license_type text,
  issue_datetime timestamp with time zone,
  expiry_datetime timestamp with time zone,
  active boolean not null,
  credential_id uuid,
  default_intake_location_id text,
  sync_enabled boolean not null,
  create_companies boolean not null,
  sync_rooms boolean not null,
  notify_on_change boolean not null,
  share_with_leaflink boolean not null,
  version integer not null default 1,
  inserted_datetime timestamp with time zone not null default now(),
  updated_datetime timestamp with time zone not null default now(),
  archived_datetime timestamp with time zone,
  constraint licenses_pkey PRIMARY KEY (tenant_id, id),
  constraint licenses_tenant_id_license_key_key UNIQUE (tenant_id, license_key),
  constraint licenses_tenant_id_credential_id_fkey FOREIGN KEY (tenant_id, credential_id) REFERENCES credentials(tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
  constraint licenses_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE
);
alter table licenses enable row level security;
alter table licenses force row level security;
create policy operator_reads on licenses for select to biotrack_operator
  using (( SELECT is_operator() AS is_operator));
create policy tenant_isolation on licenses to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on licenses to biotrack_app;
grant select (archived_datetime) on licenses to biotrack_operator;
grant select (create_companies) on licenses to biotrack_operator;
grant select (sync_enabled) on licenses to biotrack_operator;
grant select (tenant_id) on licenses to biotrack_operator;

create table login_attempts (
  key_hash bytea not null,
  leased_until_datetime timestamp with time zone,
  leased_by uuid,
  refusals integer not null default 0,
  refused_datetime timestamp with time zone,
  refusal text,
  refused_text text,
  upstream_text text,
  accepted_datetime timestamp with time zone,
  expires_datetime timestamp with time zone not null,
  constraint login_attempts_pkey PRIMARY KEY (key_hash),
  constraint login_attempts_refusal_check CHECK (refusal = ANY (ARRAY['rejected'::text, 'refused'::text]))
);
CREATE INDEX login_attempts_expires ON login_attempts USING btree (expires_datetime);
CREATE INDEX login_attempts_text ON login_attempts USING btree (refused_text) WHERE refused_text IS NOT NULL;
grant delete, insert, select, update on login_attempts to biotrack_app;

create table operator_audit (
  id bigint not null generated always as identity,
  operation_id text not null,
  actor text not null,
  request_id text not null,
  object text not null,
  changed text[] not null,
  inserted_datetime timestamp with time zone not null default now(),
  constraint operator_audit_pkey PRIMARY KEY (id)
);
CREATE INDEX operator_audit_inserted ON operator_audit USING btree (inserted_datetime);
alter table operator_audit enable row level security;
create policy only_old on operator_audit as restrictive for delete to biotrack_operator
  using (inserted_datetime < (now() - '30 days'::interval));
create policy operator_writes on operator_audit to biotrack_operator
  using (( SELECT is_operator() AS is_operator))
  with check (( SELECT is_operator() AS is_operator));
grant delete, insert, select on operator_audit to biotrack_operator;

create table refused_usernames (
  refused_text text not null,
  username_hash bytea not null,
  in_tenant uuid not null,
  refused_datetime timestamp with time zone not null default now(),
  is_of_state boolean not null default false,
  is_restored boolean not null default false,
  constraint refused_usernames_pkey PRIMARY KEY (refused_text, username_hash, in_tenant),
  constraint refused_usernames_in_tenant_fkey FOREIGN KEY (in_tenant) REFERENCES tenants(tenant_id) ON DELETE CASCADE
);
CREATE INDEX refused_usernames_tenant ON refused_usernames USING btree (in_tenant);
grant delete, insert, select, update on refused_usernames to biotrack_app;
grant select on refused_usernames to biotrack_operator;

create table schedules (
  tenant_id uuid not null,
  next_datetime timestamp with time zone,
  failures integer not null default 0,
  paused_datetime timestamp with time zone,
  paused_reason text,
  inserted_datetime timestamp with time zone not null default now(),
  updated_datetime timestamp with time zone not null default now(),
  synced_datetime timestamp with time zone,
  constraint schedules_pkey PRIMARY KEY (tenant_id),
  constraint schedules_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE,
  constraint schedules_check CHECK ((paused_datetime IS NULL) = (paused_reason IS NULL))
);
CREATE INDEX schedules_next ON schedules USING btree (next_datetime) WHERE next_datetime IS NOT NULL;
alter table schedules enable row level security;
alter table schedules force row level security;
create policy operator_marks on schedules for update to biotrack_operator
  using (( SELECT is_operator() AS is_operator))
  with check (( SELECT is_operator() AS is_operator));
create policy operator_reads on schedules for select to biotrack_operator
  using (( SELECT is_operator() AS is_operator));
create policy tenant_isolation on schedules to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on schedules to biotrack_app;
grant select on schedules to biotrack_operator;
grant update (next_datetime) on schedules to biotrack_operator;
grant update (synced_datetime) on schedules to biotrack_operator;

create table sync_plan_items (
  tenant_id uuid not null,
  run_id uuid not null,
  seq integer not null,
  action text not null,
  kind text,
  reason text not null,
  company_id uuid,
  license_id uuid,
  license_number text,
  before jsonb,
  after jsonb,
  constraint sync_plan_items_pkey PRIMARY KEY (tenant_id, run_id, seq),
  constraint sync_plan_items_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES sync_runs(tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX sync_plan_items_company ON sync_plan_items USING btree (tenant_id, run_id, company_id, seq) WHERE company_id IS NOT NULL;
alter table sync_plan_items enable row level security;
alter table sync_plan_items force row level security;
create policy tenant_isolation on sync_plan_items to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on sync_plan_items to biotrack_app;

create table sync_runs (
  tenant_id uuid not null,
  id uuid not null,
  status text not null,
  reason text,
  reason_message jsonb,
  operator_detail text,
  needs_operator boolean not null default false,
  trigger text not null,
  mode text not null,
  refresh text not null,
  strategy text not null,
  counts jsonb,
  row_counts jsonb,
  warnings jsonb not null default '[]'::jsonb,
  skips jsonb not null default '[]'::jsonb,
  step text not null,
  directory_version bigint,
  requested_by text not null,
  attempt integer not null default 0,
  fence integer not null default 0,
  leased_until_datetime timestamp with time zone,
  requested_datetime timestamp with time zone not null default now(),
  started_datetime timestamp with time zone,
  finished_datetime timestamp with time zone,
  retry_datetime timestamp with time zone,
  include_labs boolean,
  planned_datetime timestamp with time zone,
  input_versions jsonb,
  plan_digest text,
  applied_datetime timestamp with time zone,
  first_change_seq bigint,
  last_change_seq bigint,
  notes jsonb not null default '{"filtered": [], "adoptions": [], "conflicts": []}'::jsonb,
  credential_id uuid,
  credential_owner text,
  credential_reason text,
  list_digest text,
  constraint sync_runs_pkey PRIMARY KEY (tenant_id, id),
  constraint sync_runs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE,
  constraint sync_runs_check CHECK ((credential_id IS NULL) = (credential_owner IS NULL) AND (credential_id IS NULL) = (credential_reason IS NULL)),
  constraint sync_runs_credential_owner_check CHECK (credential_owner = ANY (ARRAY['company'::text, 'user'::text])),
  constraint sync_runs_mode_check CHECK (mode = ANY (ARRAY['full'::text, 'preview'::text])),
  constraint sync_runs_refresh_check CHECK (refresh = ANY (ARRAY['auto'::text, 'force'::text])),
  constraint sync_runs_status_check CHECK (status = ANY (ARRAY['queued'::text, 'running'::text, 'succeeded'::text, 'succeeded_with_warnings'::text, 'needs_review'::text, 'failed'::text, 'canceled'::text, 'superseded'::text])),
  constraint sync_runs_step_check CHECK (step = ANY (ARRAY['queued'::text, 'fetching'::text, 'planning'::text, 'applying'::text, 'done'::text])),
  constraint sync_runs_strategy_check CHECK (strategy = ANY (ARRAY['one_per_license'::text, 'one_per_vendor'::text])),
  constraint sync_runs_trigger_check CHECK (trigger = ANY (ARRAY['request'::text, 'setup_completed'::text, 'schedule'::text, 'superseded'::text]))
);
CREATE UNIQUE INDEX sync_runs_active ON sync_runs USING btree (tenant_id) WHERE mode = 'full'::text AND (status = ANY (ARRAY['queued'::text, 'running'::text]));
CREATE INDEX sync_runs_ended ON sync_runs USING btree (finished_datetime) WHERE finished_datetime IS NOT NULL;
CREATE INDEX sync_runs_lease ON sync_runs USING btree (leased_until_datetime) WHERE status = ANY (ARRAY['queued'::text, 'running'::text]);
CREATE INDEX sync_runs_retry ON sync_runs USING btree (retry_datetime) WHERE status = 'queued'::text AND retry_datetime IS NOT NULL;
CREATE INDEX sync_runs_status ON sync_runs USING btree (tenant_id, status, id);
CREATE INDEX sync_runs_unapplied_previews ON sync_runs USING btree (tenant_id, id) WHERE mode = 'preview'::text AND applied_datetime IS NULL;
CREATE INDEX sync_runs_waiting_previews ON sync_runs USING btree (tenant_id, id) WHERE mode = 'preview'::text AND (status = ANY (ARRAY['queued'::text, 'running'::text]));
alter table sync_runs enable row level security;
alter table sync_runs force row level security;
create policy operator_reads on sync_runs for select to biotrack_operator
  using (( SELECT is_operator() AS is_operator));
create policy tenant_isolation on sync_runs to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on sync_runs to biotrack_app;
grant select on sync_runs to biotrack_operator;

create table sync_states (
  tenant_id uuid not null,
  input_versions jsonb not null,
  counts jsonb not null,
  row_counts jsonb not null,
  object_totals jsonb not null,
  warnings jsonb not null,
  compared_datetime timestamp with time zone not null,
  dismissed_input_versions jsonb,
  constraint sync_states_pkey PRIMARY KEY (tenant_id),
  constraint sync_states_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE
);
CREATE TRIGGER move_inputs_revision AFTER UPDATE OF dismissed_input_versions ON sync_states FOR EACH STATEMENT EXECUTE FUNCTION move_inputs_revision();
alter table sync_states enable row level security;
alter table sync_states force row level security;
create policy operator_reads on sync_states for select to biotrack_operator
  using (( SELECT is_operator() AS is_operator));
create policy tenant_isolation on sync_states to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on sync_states to biotrack_app;
grant select (compared_datetime) on sync_states to biotrack_operator;
grant select (input_versions) on sync_states to biotrack_operator;
grant select (tenant_id) on sync_states to biotrack_operator;

create table tenants (
  tenant_id uuid not null,
  name text not null,
  state text not null,
  environment text not null,
  revision bigint not null default 0,
  last_change_seq bigint not null default 0,
  feed_start_seq bigint not null default 0,
  feed_epoch uuid not null default gen_random_uuid(),
  feed_complete_from timestamp with time zone,
  first_synced_datetime timestamp with time zone,
  first_synced_run_id uuid,
  version integer not null default 1,
  inserted_datetime timestamp with time zone not null default now(),
  updated_datetime timestamp with time zone not null default now(),
  inputs_revision bigint not null default 0,
  constraint tenants_pkey PRIMARY KEY (tenant_id),
  constraint tenants_environment_check CHECK (environment = ANY (ARRAY['production'::text, 'training'::text]))
);
CREATE TRIGGER move_inputs_revision BEFORE UPDATE ON tenants FOR EACH ROW WHEN (old.state IS DISTINCT FROM new.state OR old.environment IS DISTINCT FROM new.environment) EXECUTE FUNCTION move_own_inputs_revision();
alter table tenants enable row level security;
alter table tenants force row level security;
create policy operator_reads on tenants for select to biotrack_operator
  using (( SELECT is_operator() AS is_operator));
create policy tenant_isolation on tenants to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on tenants to biotrack_app;
grant select on tenants to biotrack_operator;

create table ubis (
  tenant_id uuid not null,
  ubi text not null,
  ubi_key text not null,
  status text not null default 'unverified'::text,
  version integer not null default 1,
  inserted_datetime timestamp with time zone not null default now(),
  updated_datetime timestamp with time zone not null default now(),
  constraint ubis_pkey PRIMARY KEY (tenant_id),
  constraint ubis_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE,
  constraint ubis_status_check CHECK (status = ANY (ARRAY['unverified'::text, 'verified'::text, 'rejected'::text]))
);
CREATE TRIGGER move_inputs_revision AFTER INSERT OR DELETE ON ubis FOR EACH ROW EXECUTE FUNCTION move_inputs_revision();
CREATE TRIGGER move_inputs_revision_changed AFTER UPDATE ON ubis FOR EACH ROW WHEN (old.ubi_key IS DISTINCT FROM new.ubi_key) EXECUTE FUNCTION move_inputs_revision();
alter table ubis enable row level security;
alter table ubis force row level security;
create policy tenant_isolation on ubis to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on ubis to biotrack_app;

create table users (
  tenant_id uuid not null,
  user_id text not null,
  display_name text,
  active boolean not null default true,
  last_seen_datetime timestamp with time zone,
  version integer not null default 1,
  inserted_datetime timestamp with time zone not null default now(),
  updated_datetime timestamp with time zone not null default now(),
  constraint users_pkey PRIMARY KEY (tenant_id, user_id),
  constraint users_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id) ON DELETE CASCADE
);
alter table users enable row level security;
alter table users force row level security;
create policy tenant_isolation on users to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on users to biotrack_app;

create table vendor_companies (
  tenant_id uuid not null,
  ubi_key text not null,
  company_id uuid not null,
  constraint vendor_companies_pkey PRIMARY KEY (tenant_id, ubi_key),
  constraint vendor_companies_tenant_id_company_id_key UNIQUE (tenant_id, company_id),
  constraint vendor_companies_tenant_id_company_id_fkey FOREIGN KEY (tenant_id, company_id) REFERENCES companies(tenant_id, id) ON DELETE CASCADE
);
CREATE TRIGGER move_inputs_revision AFTER INSERT OR DELETE OR UPDATE ON vendor_companies FOR EACH STATEMENT EXECUTE FUNCTION move_inputs_revision();
alter table vendor_companies enable row level security;
alter table vendor_companies force row level security;
create policy tenant_isolation on vendor_companies to biotrack_app
  using (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)))
  with check (tenant_id = (( SELECT current_tenant_id() AS current_tenant_id)));
grant delete, insert, select, update on vendor_companies to biotrack_app;

grant usage on sequence directory_requests to biotrack_operator;

CREATE OR REPLACE FUNCTION public.age_seconds(of timestamp with time zone)
 RETURNS double precision
 LANGUAGE sql
 STABLE
AS $function$ select extract(epoch from now() - of)::double precision $function$
;
grant execute on function age_seconds(timestamp with time zone) to public;

CREATE OR REPLACE FUNCTION public.current_tenant_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select case when current_user = 'biotrack_app' then transaction_tenant_id() end $function$
;
grant execute on function current_tenant_id() to public;

CREATE OR REPLACE FUNCTION public.enqueue_sync_run(of_tenant uuid, run uuid, waiting_before integer DEFAULT 0)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform graphile_worker.add_job(
    'run_sync',
    json_build_object('tenant_id', of_tenant, 'run_id', run),
    max_attempts => 3,
    job_key => 'run_sync:' || run,
    -- Requeuing a waiting run must not move it behind later runs.
    job_key_mode => 'preserve_run_at',
    priority => least(waiting_before, 1000));
end
$function$
;
grant execute on function enqueue_sync_run(uuid,uuid,integer) to biotrack_app;

CREATE OR REPLACE FUNCTION public.is_api_key_valid(key_id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform from public.api_keys
    where id = key_id and (expires_datetime is null or expires_datetime > clock_timestamp()) for key share;
  return found;
end
$function$
;
grant execute on function is_api_key_valid(uuid) to biotrack_app;
grant execute on function is_api_key_valid(uuid) to biotrack_operator;

CREATE OR REPLACE FUNCTION public.is_operator()
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select current_user = 'biotrack_operator' $function$
;
grant execute on function is_operator() to public;

CREATE OR REPLACE PROCEDURE public.isolate_tenants(IN of_table regclass)
 LANGUAGE plpgsql
AS $procedure$
begin
  execute format('alter table %s enable row level security', of_table);
  execute format('alter table %s force row level security', of_table);
  execute format(
    'create policy tenant_isolation on %s to biotrack_app
       using (tenant_id = (select current_tenant_id())) with check (tenant_id = (select current_tenant_id()))',
    of_table);
  execute format('grant select, insert, update, delete on %s to biotrack_app', of_table);
end
$procedure$
;
grant execute on procedure isolate_tenants(regclass) to public;

CREATE OR REPLACE FUNCTION public.move_inputs_revision()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update tenants set inputs_revision = inputs_revision + 1 where tenant_id = (select transaction_tenant_id());
  return null;
end
$function$
;
grant execute on function move_inputs_revision() to public;

CREATE OR REPLACE FUNCTION public.move_own_inputs_revision()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.inputs_revision := old.inputs_revision + 1;
  return new;
end
$function$
;
grant execute on function move_own_inputs_revision() to public;

CREATE OR REPLACE FUNCTION public.move_revision()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update tenants set revision = revision + 1 where tenant_id = (select transaction_tenant_id());
  return null;
end
$function$
;
grant execute on function move_revision() to public;

CREATE OR REPLACE FUNCTION public.transaction_tenant_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select nullif(current_setting('app.tenant_id', true), '')::uuid $function$
;
grant execute on function transaction_tenant_id() to public;
