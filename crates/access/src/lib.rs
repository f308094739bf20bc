//! Who asks, and may they: authentication, authorisation, admission as ordered steps.
