fn main(){ println!("hello"); let t = std::net::TcpListener::bind("127.0.0.1:0"); println!("{t:?}"); }
