INSERT INTO companies (companyId, objectTypeId, companyname, employees, personId, last_updated) VALUES
    (5001, 1, N'Bäckerei Schön GmbH', 12, 1, 1735689600),
    (5002, 2, N'Quote "Unquote" Inc', NULL, 2, 1735689601);
