-- The manual company that a license was assigned to. Unlike a flag, it survives a user decision that lets another company hold
-- the license, so that reverting the decision restores it.
alter table company_licenses add column named_by_company_id uuid;
update company_licenses set named_by_company_id = company_id where is_hand_named;
alter table company_licenses
  drop column is_hand_named,
  add foreign key (tenant_id, named_by_company_id) references companies deferrable initially deferred;
-- For the foreign key: deleting a company looks up the licenses assigned to it.
create index company_licenses_named_by on company_licenses (tenant_id, named_by_company_id)
  where named_by_company_id is not null;
