-- A UBI that turns blank is the state telling less, not another owner. Whom it named last is kept, so that a sale is told
-- as one when another vendor is named after that.
alter table directory_licenses
  add column known_ubi text,
  add column known_ubi_key text;
