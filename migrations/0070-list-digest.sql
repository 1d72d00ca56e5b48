-- Which list a run was refused for: accepting means that very list, whatever was refused since.
alter table sync_runs add column list_digest text;
