-- The accounting of disclosures says what, why, and under which consent and rule; the hub that reviews a referral and
-- whoever audits the exchange read it beside its sender.
alter table audit_disclosure
    add column shown text,
    add column basis text,
    add column rule text,
    add column action text,
    add column purpose text;
comment on column audit_disclosure.shown is 'the row of the API''s table of what each kind of viewer sees';

update audit_disclosure d
set shown = o ->> 'shown', basis = o ->> 'basis', action = convert_from(r.body, 'UTF8')::jsonb ->> 'action'
from audit_record r, jsonb_array_elements(convert_from(r.body, 'UTF8')::jsonb -> 'objects') as o
where r.chain = d.chain and r.number = d.number and o ->> 'kind' = 'referral' and o ->> 'id' = d.referral_id::text;

create policy api_accounts on audit_disclosure for select to refex_api using (
    asking_type() = 'operator'
    or (asking_type() = 'hub' and exists (select from referral r where r.id = audit_disclosure.referral_id)));
