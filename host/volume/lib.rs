//! Turns a pod's volumes into directories that its containers may open.
