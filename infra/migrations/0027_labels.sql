-- The relay tells a sender of its referral with the labels it carries: it reads them, and nothing sealed.
grant select (id, domain, state) on referral to refex_relay;
