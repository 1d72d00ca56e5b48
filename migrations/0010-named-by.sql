-- Which manual company names a license by hand, and not only that one does: a person's decision may let another company
-- hold it, and taken back it is where it was.
alter table company_licenses add column named_by_company_id uuid;
update company_licenses set named_by_company_id = company_id where is_hand_named;
alter table company_licenses
  drop column is_hand_named,
  add foreign key (tenant_id, named_by_company_id) references companies deferrable initially deferred;
-- Who is named by a company is looked up when that one goes, as it does with its tenant.
create index company_licenses_named_by on company_licenses (tenant_id, named_by_company_id)
  where named_by_company_id is not null;
