-- Messages for users as {"code", "params", "text"}. The types are changed instead of the rows, because row security hides the
-- rows of tenants from the owner of the table.
alter table sync_runs
  alter column reason_detail type jsonb using
    case when reason_detail is null then null else jsonb_build_object(
      'code', coalesce(reason, case when status = 'canceled' then 'run_dismissed' else 'too_many_changes' end),
      'params', case
        when reason is null and status = 'canceled' and reason_detail like 'Dismissed by %.'
          then jsonb_build_object('dismissed_by', substr(reason_detail, 14, length(reason_detail) - 14))
        else '{}'
      end,
      'text', reason_detail) end;
alter table sync_runs rename column reason_detail to reason_message;

-- A list that was refused before is requested once more.
alter table directories alter column refused_removals type jsonb using null;
