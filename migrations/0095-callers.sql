-- Keys can expire, and are replaced without interrupting their holders.
alter table api_keys
  add column expires_datetime timestamptz,
  -- To the minute, so that a busy key costs few writes.
  add column last_used_datetime timestamptz;
grant update (expires_datetime, last_used_datetime) on api_keys to biotrack_operator;

-- Whether a key is still valid, for transactions of a tenant, which cannot read keys. Locks it against deletion until the end
-- of the transaction.
create function is_api_key_valid(key_id uuid) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
begin
  perform from public.api_keys
    where id = key_id and (expires_datetime is null or expires_datetime > clock_timestamp()) for key share;
  return found;
end
$$;
revoke execute on function is_api_key_valid from public;
grant execute on function is_api_key_valid to biotrack_app, biotrack_operator;

-- The queue's tables have row security without policies, so that only their owner can use them. The logins of the service need
-- not be the owner.
do $$
declare
  queue_table regclass;
begin
  grant usage on schema graphile_worker to biotrack_service;
  grant select, insert, update, delete on all tables in schema graphile_worker to biotrack_service;
  grant usage, select on all sequences in schema graphile_worker to biotrack_service;
  grant execute on all functions in schema graphile_worker to biotrack_service;
  for queue_table in
    select oid from pg_class where relnamespace = 'graphile_worker'::regnamespace and relkind = 'r' and relrowsecurity
  loop
    execute format('create policy service_works on %s to biotrack_service using (true) with check (true)', queue_table);
  end loop;
end
$$;
grant usage on schema public to biotrack_service;
