INSERT INTO users (id, email_address, fname, lname, msisdn, last_updated) VALUES
    (1, N'zoe@example.com', N'Zoë', N'O''Brien', '+4930123456', 1735689600),
    (2, NULL, N'🦄 Nova', NULL, NULL, 1735689601),
    (2147483647, N'a"b\c@example.com', N'花子', N'', '', 0);
